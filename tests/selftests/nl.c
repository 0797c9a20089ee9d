// SPDX-License-Identifier: GPL-2.0
#include <poll.h>
#include <sys/socket.h>

#include "common.h"
#include "nl.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

#define PATIENCE_MS	30000

static void grow(struct nl_msg *m, size_t more)
{
	if (m->len + more <= m->cap)
		return;
	m->cap = (m->len + more) * 2;
	m->data = realloc(m->data, m->cap);
	if (!m->data)
		abort();
}

static void append(struct nl_msg *m, const void *data, size_t len)
{
	size_t pad = NLA_ALIGN(len) - len;

	grow(m, len + pad);
	memcpy(m->data + m->len, data, len);
	memset(m->data + m->len + len, 0, pad);
	m->len += len + pad;
}

static void begin(struct nl_msg *m, uint16_t type, uint8_t cmd, uint8_t version)
{
	struct nlmsghdr h = { .nlmsg_type = type };
	struct genlmsghdr g = { .cmd = cmd, .version = version };

	*m = (struct nl_msg){};
	append(m, &h, sizeof(h));
	append(m, &g, sizeof(g));
}

void nl_begin(struct nl_msg *m, const struct nl *nl, uint8_t cmd)
{
	begin(m, nl->family, cmd, ITME_FAMILY_VERSION);
}

void nl_put(struct nl_msg *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = { .nla_type = type, .nla_len = NLA_HDRLEN + len };

	append(m, &a, sizeof(a));
	if (len)
		append(m, data, len);
}

void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t v)
{
	nl_put(m, type, &v, sizeof(v));
}

void nl_put_uint(struct nl_msg *m, uint16_t type, uint64_t v)
{
	if (v == (uint32_t)v)
		nl_put_u32(m, type, v);
	else
		nl_put(m, type, &v, sizeof(v));
}

void nl_put_str(struct nl_msg *m, uint16_t type, const char *s)
{
	nl_put(m, type, s, strlen(s) + 1);
}

void nl_put_flag(struct nl_msg *m, uint16_t type)
{
	nl_put(m, type, NULL, 0);
}

size_t nl_nest(struct nl_msg *m, uint16_t type)
{
	size_t at = m->len;

	nl_put(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_msg *m, size_t nest)
{
	((struct nlattr *)(m->data + nest))->nla_len = m->len - nest;
}

void nl_free(struct nl_msg *m)
{
	free(m->data);
	*m = (struct nl_msg){};
}

int nl_send(struct nl *nl, struct nl_msg *m, uint16_t flags)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr *h = (struct nlmsghdr *)m->data;
	ssize_t n;
	int err = 0;

	h->nlmsg_len = m->len;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	n = sendto(nl->fd, m->data, m->len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel));
	if (n != (ssize_t)m->len)
		err = n < 0 ? -errno : -EIO;
	nl_free(m);
	return err;
}

const struct nlattr *nl_find(const void *attrs, size_t len, uint16_t type,
			     const struct nlattr *after)
{
	const uint8_t *p = attrs;
	bool on = !after;

	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return NULL;
		if (on && (a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		if (a == after)
			on = true;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return NULL;
}

const struct nlattr *nl_attr(const struct nl *nl, uint16_t type)
{
	return nl_find(nl->reply, nl->reply_len, type, NULL);
}

bool nl_has(const struct nl *nl, uint16_t type)
{
	return nl_attr(nl, type);
}

const void *nl_data(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

size_t nl_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

uint64_t nl_uint(const struct nlattr *a)
{
	uint64_t v = 0;

	if (a)
		memcpy(&v, nl_data(a), nl_len(a) < 8 ? nl_len(a) : 8);
	return v;
}

uint64_t nl_reply_uint(const struct nl *nl, uint16_t type)
{
	return nl_uint(nl_attr(nl, type));
}

static void keep_why(struct nl *nl, const void *attrs, size_t len)
{
	const struct nlattr *msg = nl_find(attrs, len, NLMSGERR_ATTR_MSG, NULL);

	if (msg)
		snprintf(nl->why, sizeof(nl->why), "%.*s", (int)nl_len(msg),
			 (const char *)nl_data(msg));
	nl->bad = nl_uint(nl_find(attrs, len, NLMSGERR_ATTR_OFFS, NULL));
}

/* What an error message or the end of a dump says: 0 or -errno. */
static int result(struct nl *nl, const struct nlmsghdr *h)
{
	const int *err = NLMSG_DATA(h);
	size_t head = sizeof(*err);

	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(h);

		head = sizeof(*e);
		if (!(h->nlmsg_flags & NLM_F_CAPPED))
			head += e->msg.nlmsg_len - sizeof(e->msg);
	}
	head = NLMSG_ALIGN(head);
	if (h->nlmsg_flags & NLM_F_ACK_TLVS && h->nlmsg_len > NLMSG_HDRLEN + head)
		keep_why(nl, (const uint8_t *)NLMSG_DATA(h) + head,
			 h->nlmsg_len - NLMSG_HDRLEN - head);
	return *err;
}

static ssize_t receive(struct nl *nl, void *buf, size_t len)
{
	struct pollfd p = { .fd = nl->fd, .events = POLLIN };
	ssize_t n;

	n = poll(&p, 1, PATIENCE_MS);
	if (n != 1)
		return n ? -errno : -ETIMEDOUT;
	n = recv(nl->fd, buf, len, 0);
	return n < 0 ? -errno : n;
}

/* Until the answer to the last request is complete. */
static int answer(struct nl *nl,
		  void (*fn)(const void *attrs, size_t len, void *arg),
		  void *arg)
{
	static __thread uint8_t buf[65536];

	nl->why[0] = 0;
	nl->bad = 0;
	nl->interrupted = false;
	for (;;) {
		ssize_t n = receive(nl, buf, sizeof(buf));
		struct nlmsghdr *h;

		if (n < 0)
			return n;
		for (h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			size_t head = NLMSG_HDRLEN + GENL_HDRLEN;

			if (h->nlmsg_seq != nl->seq)
				continue;
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				nl->interrupted = true;
			if (h->nlmsg_type == NLMSG_ERROR ||
			    h->nlmsg_type == NLMSG_DONE)
				return result(nl, h);
			if (h->nlmsg_len >= head)
				fn((uint8_t *)h + head, h->nlmsg_len - head,
				   arg);
		}
	}
}

static void keep_reply(const void *attrs, size_t len, void *arg)
{
	struct nl *nl = arg;

	if (len > sizeof(nl->reply))
		len = sizeof(nl->reply);
	memcpy(nl->reply, attrs, len);
	nl->reply_len = len;
}

int nl_request(struct nl *nl, struct nl_msg *m, uint16_t flags)
{
	int err = nl_send(nl, m, NLM_F_ACK | flags);

	nl->reply_len = 0;
	return err ?: answer(nl, keep_reply, nl);
}

int nl_do(struct nl *nl, struct nl_msg *m)
{
	return nl_request(nl, m, 0);
}

int nl_dump(struct nl *nl, struct nl_msg *m,
	    void (*fn)(const void *attrs, size_t len, void *arg), void *arg)
{
	int err = nl_send(nl, m, NLM_F_DUMP);

	return err ?: answer(nl, fn, arg);
}

static int resolve(struct nl *nl)
{
	const struct nlattr *groups, *g;
	struct nl_msg m;
	int err;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	nl_put_str(&m, CTRL_ATTR_FAMILY_NAME, ITME_FAMILY_NAME);
	err = nl_do(nl, &m);
	if (err)
		return err;
	nl->family = nl_reply_uint(nl, CTRL_ATTR_FAMILY_ID);
	groups = nl_attr(nl, CTRL_ATTR_MCAST_GROUPS);
	g = groups ? nl_find(nl_data(groups), nl_len(groups), 1, NULL) : NULL;
	if (g)
		nl->group = nl_uint(nl_find(nl_data(g), nl_len(g),
					    CTRL_ATTR_MCAST_GRP_ID, NULL));
	return nl->family && nl->group ? 0 : -ENOENT;
}

int nl_open(struct nl *nl)
{
	int one = 1, size = 1 << 20;
	int err;

	memset(nl, 0, sizeof(*nl));
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl->fd < 0)
		return -errno;
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	err = resolve(nl);
	if (err)
		nl_close(nl);
	return err;
}

void nl_close(struct nl *nl)
{
	if (nl->fd >= 0)
		close(nl->fd);
	nl->fd = -1;
}

void plan_begin(struct nl_msg *m, const struct nl *nl, bool cyclic)
{
	nl_begin(m, nl, ITME_CMD_PLAN_SET);
	if (cyclic)
		nl_put_flag(m, ITME_A_PLAN_CYCLIC);
}

static void put_range(struct nl_msg *m, uint16_t type, uint32_t object, uint64_t off,
		      uint64_t len)
{
	size_t nest = nl_nest(m, type);

	nl_put_u32(m, ITME_A_RANGE_OBJECT, object);
	nl_put_uint(m, ITME_A_RANGE_OFFSET, off);
	nl_put_uint(m, ITME_A_RANGE_LENGTH, len);
	nl_nest_end(m, nest);
}

void plan_range(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len)
{
	put_range(m, ITME_A_STAGE_RANGE, object, off, len);
}

void plan_stage(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len)
{
	size_t nest = nl_nest(m, ITME_A_PLAN_STAGE);

	plan_range(m, object, off, len);
	nl_nest_end(m, nest);
}

size_t plan_trigger(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len)
{
	size_t nest = nl_nest(m, ITME_A_PLAN_TRIGGER);

	put_range(m, ITME_A_TRIGGER_SOURCE, object, off, len);
	return nest;
}

void plan_target(struct nl_msg *m, uint32_t object, uint64_t off, uint64_t len)
{
	put_range(m, ITME_A_TRIGGER_TARGET, object, off, len);
}

int plan_set(struct nl *nl, struct nl_msg *m, uint32_t *id)
{
	int err = nl_do(nl, m);

	if (!err && id)
		*id = nl_reply_uint(nl, ITME_A_PLAN_ID);
	return err;
}

static int with_id(struct nl *nl, uint8_t cmd, uint32_t id)
{
	struct nl_msg m;

	nl_begin(&m, nl, cmd);
	nl_put_u32(&m, ITME_A_PLAN_ID, id);
	return nl_do(nl, &m);
}

int plan_del(struct nl *nl, uint32_t id)
{
	return with_id(nl, ITME_CMD_PLAN_DEL, id);
}

int plan_get(struct nl *nl, uint32_t id)
{
	return with_id(nl, ITME_CMD_PLAN_GET, id);
}

int plan_step(struct nl *nl, uint32_t id, uint32_t stage)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_PLAN_STEP);
	nl_put_u32(&m, ITME_A_PLAN_ID, id);
	nl_put_u32(&m, ITME_A_PLAN_AT, stage);
	return nl_do(nl, &m);
}
