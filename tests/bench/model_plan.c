// SPDX-License-Identifier: GPL-2.0
/* Tells the kernel the order of a model's pieces: one stage a layer, cyclic. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../selftests/nl.h"
#include "model.h"

static uint32_t object_of(int fd)
{
	struct itme_object obj = {};

	if (ioctl(fd, ITME_IOC_OBJECT, &obj))
		die("ITME_IOC_OBJECT");
	return obj.id;
}

/* The number of a stage is left out: it is one more each time. */
static void put_layer(struct nl_msg *msg, const struct model *m, uint32_t object, uint64_t nth)
{
	uint64_t per_layer = m->layer / m->piece;
	size_t stage = nl_nest(msg, ITME_A_PLAN_STAGE);

	for (uint64_t i = 0; i < per_layer; i++)
		plan_range(msg, object, m->order[nth * per_layer + i], m->piece);
	nl_nest_end(msg, stage);
}

void plan_tell(const struct model *m, int fd)
{
	uint32_t object = object_of(fd), id = 0;
	struct nl nl;
	struct nl_msg msg;
	int err;

	err = nl_open(&nl);
	if (!err) {
		plan_begin(&msg, &nl, true);
		for (uint64_t i = 0; i < m->layers; i++)
			put_layer(&msg, m, object, i);
		err = plan_set(&nl, &msg, &id);
	}
	if (err) {
		errno = -err;
		die("plan: %s", nl.why);
	}
	nl_close(&nl);
}
