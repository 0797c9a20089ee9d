/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests to the netlink family itme, each in one call, and who makes them.
 * They return as nl_do() does, unless they say otherwise.
 */
#ifndef ITME_SELFTEST_REQUEST_H
#define ITME_SELFTEST_REQUEST_H

#include <sys/types.h>

#include "nl.h"

#define NOBODY	65534

/* a socket, or fail */
#define OPEN(nl)	ASSERT_EQ(0, nl_open(nl))

/* what a dump of objects has come to */
struct count {
	int nr;
	uint32_t last;
	bool ordered;
	uint64_t sum;
};

uint32_t id_of(int fd);		/* 0 when it has none */
/* one request with one attribute, or none where @type is 0 */
int ask(struct nl *nl, uint8_t cmd, uint16_t type, uint64_t v);
int set_budget(struct nl *nl, uint32_t tier, uint64_t budget);
/* by number; a length of 0 is none given */
int hint(struct nl *nl, uint32_t id, uint64_t off, uint64_t len,
	 uint32_t advice, uint32_t tier);
int dump_objects(struct nl *nl, struct count *c);
int dump_count(struct nl *nl, uint8_t cmd);	/* messages, or -errno */
/* a user with these capabilities only, for good */
int become(uid_t uid, uint64_t caps);

#endif
