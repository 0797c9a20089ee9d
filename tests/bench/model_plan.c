// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the kernel the order of a model's pieces: one stage a layer, cyclic. Or of a
 * mixture of experts, that who begins with an expert's first slice uses all three.
 */
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

static void put_expert(struct nl_msg *msg, const struct model *m, uint32_t object,
		       uint64_t block, uint64_t expert)
{
	uint64_t gate = model_slice(m, block, expert, 0);
	size_t trigger = plan_trigger(msg, object, gate, 4096);

	plan_target(msg, object, gate, m->piece);
	for (uint64_t slice = 1; slice < MODEL_SLICES; slice++)
		plan_target(msg, object, model_slice(m, block, expert, slice), m->piece);
	nl_nest_end(msg, trigger);
}

static void put_all(struct nl_msg *msg, const struct model *m, uint32_t object)
{
	if (!m->experts)
		for (uint64_t i = 0; i < m->layers; i++)
			put_layer(msg, m, object, i);
	else
		for (uint64_t i = 0; i < model_blocks(m) * m->experts; i++)
			put_expert(msg, m, object, i / m->experts, i % m->experts);
}

void plan_tell(const struct model *m, int fd)
{
	uint32_t object = object_of(fd), id = 0;
	struct nl nl;
	struct nl_msg msg;
	int err;

	err = nl_open(&nl);
	if (!err) {
		plan_begin(&msg, &nl, !m->experts);
		put_all(&msg, m, object);
		err = plan_set(&nl, &msg, &id);
	}
	if (err) {
		errno = -err;
		die("plan: %s", nl.why);
	}
	nl_close(&nl);
}
