// SPDX-License-Identifier: GPL-2.0
/*
 * ITME_IOC_RESIDENCY told of more memory in large folios than in memory at all,
 * when a folio came while the walk was in the middle of its chunk: all of the
 * folio was counted, not the part of it that the walk had before it.
 */
#include <pthread.h>

#include "fixture.h"

#define SIZE	(4 * CHUNK)
#define SECONDS	15

struct churn {
	int fd;
	bool stop;
	int wrong;
};

/* Chunks come and go. */
static void *churn(void *arg)
{
	struct churn *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED) && !c->wrong) {
		c->wrong = scan(c->fd, 0, SIZE, 1);
		advise(c->fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL);
	}
	return NULL;
}

FIXTURE(residency_large) {};
ITME_FIXTURE(residency_large)

TEST_F(residency_large, while_folios_come)
{
	struct churn c = {};
	struct itme_residency r = {};
	unsigned long tries = 0;
	pthread_t thread;
	double end;

	MOUNT("dram=32M");
	c.fd = import_open("a", SIZE, 1, 0);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, &c));
	end = now() + SECONDS;
	do {
		ASSERT_EQ(0, residency(c.fd, 0, 0, &r, NULL, 0));
		tries++;
	} while (r.large <= r.bytes[DRAM] + r.bytes[CXL] && now() < end);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.wrong);
	EXPECT_LE(r.large, r.bytes[DRAM] + r.bytes[CXL])
		TH_LOG("after %lu tries", tries);
	close(c.fd);
}

TEST_HARNESS_MAIN
