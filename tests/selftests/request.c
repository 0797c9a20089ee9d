// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common.h"
#include "request.h"

uint32_t id_of(int fd)
{
	struct itme_object o = {};

	return object(fd, &o) ? 0 : o.id;
}

int ask(struct nl *nl, uint8_t cmd, uint16_t type, uint64_t v)
{
	struct nl_msg m;

	nl_begin(&m, nl, cmd);
	if (type)
		nl_put_uint(&m, type, v);
	return nl_do(nl, &m);
}

int set_budget(struct nl *nl, uint32_t tier, uint64_t budget)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_TIER_SET);
	nl_put_u32(&m, ITME_A_TIER_TIER, tier);
	nl_put_uint(&m, ITME_A_TIER_BUDGET, budget);
	return nl_do(nl, &m);
}

int hint(struct nl *nl, uint32_t id, uint64_t off, uint64_t len,
	 uint32_t advice, uint32_t tier)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_ADVISE);
	nl_put_u32(&m, ITME_A_HINT_OBJECT, id);
	nl_put_uint(&m, ITME_A_HINT_OFFSET, off);
	if (len)
		nl_put_uint(&m, ITME_A_HINT_LENGTH, len);
	nl_put_u32(&m, ITME_A_HINT_ADVICE, advice);
	if (tier != ANY)
		nl_put_u32(&m, ITME_A_HINT_TIER, tier);
	return nl_do(nl, &m);
}

int become(uid_t uid, uint64_t caps)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = caps, .permitted = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32 },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(uid, uid, uid) ||
	    syscall(SYS_capset, &hdr, data))
		return -errno;
	return 0;
}

static void count_objects(const void *attrs, size_t len, void *arg)
{
	struct count *c = arg;
	uint32_t id = nl_uint(nl_find(attrs, len, ITME_A_OBJECT_ID, NULL));

	c->ordered &= id > c->last;
	c->last = id;
	c->nr++;
	c->sum += nl_uint(nl_find(attrs, len, ITME_A_OBJECT_SIZE, NULL));
}

int dump_objects(struct nl *nl, struct count *c)
{
	struct nl_msg m;

	*c = (struct count){ .ordered = true };
	nl_begin(&m, nl, ITME_CMD_OBJECT_GET);
	return nl_dump(nl, &m, count_objects, c);
}

static void count_all(const void *attrs, size_t len, void *arg)
{
	(void)attrs;
	(void)len;
	++*(int *)arg;
}

int dump_count(struct nl *nl, uint8_t cmd)
{
	struct nl_msg m;
	int nr = 0, err;

	nl_begin(&m, nl, cmd);
	err = nl_dump(nl, &m, count_all, &nr);
	return err ?: nr;
}
