/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The netlink family itme, on a raw socket: messages are put together and
 * taken apart here by hand, so that wrong ones can be made as well.
 *
 * Functions return 0 on success and -errno on failure, unless they say
 * otherwise; nl->why has the kernel's words for the last one.
 */
#ifndef ITME_SELFTEST_NL_H
#define ITME_SELFTEST_NL_H

#include <linux/genetlink.h>
#include <linux/itme_netlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct nl - a socket
 * @fd: the socket
 * @family: number of the family
 * @group: number of its group "events"
 * @seq: of the last request
 * @why: what the kernel said of the last one, or ""
 * @bad: offset of the attribute it pointed to, or 0
 * @interrupted: the last dump was not consistent
 * @reply: attributes of the last reply to nl_do()
 * @reply_len: bytes of them; 0 when there was none
 */
struct nl {
	int fd;
	uint16_t family;
	uint32_t group;
	uint32_t seq;
	char why[256];
	uint32_t bad;
	bool interrupted;
	uint8_t reply[32768];
	size_t reply_len;
};

/* A message being made. */
struct nl_msg {
	uint8_t *data;
	size_t len;
	size_t cap;
};

int nl_open(struct nl *nl);
void nl_close(struct nl *nl);

void nl_begin(struct nl_msg *m, const struct nl *nl, uint8_t cmd);
void nl_put(struct nl_msg *m, uint16_t type, const void *data, size_t len);
void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t v);
void nl_put_uint(struct nl_msg *m, uint16_t type, uint64_t v);
void nl_put_str(struct nl_msg *m, uint16_t type, const char *s);
void nl_put_flag(struct nl_msg *m, uint16_t type);
size_t nl_nest(struct nl_msg *m, uint16_t type);
void nl_nest_end(struct nl_msg *m, size_t nest);
void nl_free(struct nl_msg *m);

/* send a message as it is, but for number and length; frees it */
int nl_send(struct nl *nl, struct nl_msg *m, uint16_t flags);
/* one request and its answer; frees the message */
int nl_request(struct nl *nl, struct nl_msg *m, uint16_t flags);
int nl_do(struct nl *nl, struct nl_msg *m);
/* one dump, @fn is called for each message; frees the message */
int nl_dump(struct nl *nl, struct nl_msg *m,
	    void (*fn)(const void *attrs, size_t len, void *arg), void *arg);

/* the first attribute of a type in some, or the next one after @after; NULL */
const struct nlattr *nl_find(const void *attrs, size_t len, uint16_t type,
			     const struct nlattr *after);
const struct nlattr *nl_attr(const struct nl *nl, uint16_t type);
bool nl_has(const struct nl *nl, uint16_t type);
uint64_t nl_uint(const struct nlattr *a);	/* of any size; NULL is 0 */
uint64_t nl_reply_uint(const struct nl *nl, uint16_t type);
const void *nl_data(const struct nlattr *a);
size_t nl_len(const struct nlattr *a);

/* Plans. */
void plan_begin(struct nl_msg *m, const struct nl *nl, bool cyclic);
/* a stage of one range */
void plan_stage(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len);
void plan_range(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len);
/* a trigger with its source; its targets follow, then nl_nest_end() */
size_t plan_trigger(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len);
void plan_target(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len);
int plan_set(struct nl *nl, struct nl_msg *m, uint32_t *id);	/* frees it */
int plan_del(struct nl *nl, uint32_t id);
int plan_step(struct nl *nl, uint32_t id, uint32_t stage);
int plan_get(struct nl *nl, uint32_t id);	/* into nl->reply */

#endif
