// SPDX-License-Identifier: GPL-2.0
#include <byteswap.h>

#include "area.h"

static uint32_t raw(const struct header *h, uint32_t value)
{
	return h->foreign ? bswap_32(value) : value;
}

int area_header(int fd, const struct header *h)
{
	size_t size = h->page_size ?: PAGE;
	char *page = calloc(1, size);
	uint32_t *info = (uint32_t *)(page + 1024);
	unsigned int i;
	int ret = 0;

	if (!page)
		return -ENOMEM;
	info[0] = raw(h, h->version);
	info[1] = raw(h, h->last_page);
	info[2] = raw(h, h->nr_bad);
	memcpy(&info[3], "0123456789abcdef", 16);
	if (h->label)
		memcpy(&info[7], h->label, strlen(h->label));
	for (i = 0; i < h->nr_bad && i < ARRAY_LEN(h->bad); i++)
		info[11 + 117 + i] = raw(h, h->bad[i]);
	memcpy(page + size - 10, h->magic ?: "SWAPSPACE2", 10);
	if (pwrite(fd, page, size, 0) != (ssize_t)size || fsync(fd))
		ret = -errno;
	free(page);
	return ret;
}

int area_file(const char *name, unsigned int mib)
{
	char *zeroes = calloc(1, MIB);
	int fd = open(lower_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	while (fd >= 0 && mib--) {
		if (write(fd, zeroes, MIB) != (ssize_t)MIB) {
			close(fd);
			fd = -1;
		}
	}
	free(zeroes);
	if (fd >= 0)
		fsync(fd);
	return fd < 0 ? -errno : fd;
}

int area_ready(const char *name, unsigned int mib)
{
	int fd = area_file(name, mib);
	int err;

	if (fd < 0)
		return fd;
	err = area_header(fd, &(struct header){
		.version = 1, .last_page = mib * MIB / PAGE - 1 });
	if (!err)
		return fd;
	close(fd);
	return err;
}

int swap_add(int fd, int prio, uint32_t flags, uint32_t *id)
{
	struct itme_swap_add add = { .fd = fd, .prio = prio, .flags = flags };

	if (ioctl(root_fd(), ITME_IOC_SWAP_ADD, &add))
		return -errno;
	if (id)
		*id = add.id;
	return 0;
}

int swap_remove(uint32_t id)
{
	struct itme_swap_remove remove = { .id = id };

	return ioctl(root_fd(), ITME_IOC_SWAP_REMOVE, &remove) ? -errno : 0;
}

int swap_get(uint32_t id, struct itme_swap *swap)
{
	memset(swap, 0, sizeof(*swap));
	swap->id = id;
	return ioctl(root_fd(), ITME_IOC_SWAP_GET, swap) ? -errno : 0;
}

uint64_t swap_used(uint32_t id)
{
	struct itme_swap swap;

	return swap_get(id, &swap) || swap.id != id ? UINT64_MAX : swap.used;
}
