// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "fw_blob.h"

/* x86; the low half starts it */
#define PORT_DMA_HIGH	0x514
#define PORT_DMA_LOW	0x518

#define KEY_DIRECTORY	0x19
#define NAME_SIZE	56

/* struct fw_blob_dma.control; the key that is selected is in the upper half */
#define CONTROL_READ	BIT(1)
#define CONTROL_SKIP	BIT(2)
#define CONTROL_SELECT	BIT(3)

struct fw_blob_dma {
	__be32 control;
	__be32 len;
	__be64 address;
};

struct fw_blob_entry {
	__be32 size;
	__be16 key;
	__be16 reserved;
	char name[NAME_SIZE];
};

static int ask(struct fw_blob *b, u32 control, phys_addr_t address, u32 len)
{
	phys_addr_t dma = virt_to_phys(b->dma);

	b->dma->control = cpu_to_be32(control);
	b->dma->len = cpu_to_be32(len);
	b->dma->address = cpu_to_be64(address);
	/* All of it is there before the emulator looks. */
	wmb();
	outl((__force u32)cpu_to_be32(upper_32_bits(dma)), PORT_DMA_HIGH);
	outl((__force u32)cpu_to_be32(lower_32_bits(dma)), PORT_DMA_LOW);
	/* It was done before outl() returned: what it wrote is not to be read earlier. */
	rmb();
	return b->dma->control ? -EIO : 0;
}

/* Looks for @name in the directory: a count and that many entries. */
static int find(struct fw_blob *b, const char *name)
{
	struct fw_blob_entry *e;
	__be32 *count;
	u32 i, n;
	int err;

	/* Not on the stack, which the emulator could not write to by a physical address. */
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	count = kzalloc(sizeof(*count), GFP_KERNEL);
	err = e && count ? 0 : -ENOMEM;
	if (!err)
		err = ask(b, KEY_DIRECTORY << 16 | CONTROL_SELECT | CONTROL_READ,
			  virt_to_phys(count), sizeof(*count));
	n = err ? 0 : be32_to_cpu(*count);
	if (!err)
		err = -ENOENT;
	for (i = 0; i < n && err == -ENOENT; i++) {
		if (fw_blob_read(b, virt_to_phys(e), sizeof(*e))) {
			err = -EIO;
		} else if (!strncmp(e->name, name, NAME_SIZE)) {
			b->size = be32_to_cpu(e->size);
			b->key = be16_to_cpu(e->key);
			err = 0;
		}
	}
	kfree(count);
	kfree(e);
	return err;
}

/**
 * fw_blob_open - find one
 * @b: of which nothing is known yet
 * @name: as given to the emulator
 *
 * Return: 0, -ENOENT, -ENOMEM, or -EIO where nobody answers as QEMU would
 */
int fw_blob_open(struct fw_blob *b, const char *name)
{
	int err;

	b->dma = kzalloc(sizeof(*b->dma), GFP_KERNEL);
	if (!b->dma)
		return -ENOMEM;
	err = find(b, name);
	if (err)
		fw_blob_close(b);
	return err;
}

/**
 * fw_blob_close - be done with it
 * @b: opened, or all zero
 */
void fw_blob_close(struct fw_blob *b)
{
	kfree(b->dma);
	b->dma = NULL;
}

/**
 * fw_blob_seek - from where is read next?
 * @b: of which
 * @offset: bytes; what lies beyond its end is zeros
 *
 * Return: 0 or -EIO
 */
int fw_blob_seek(struct fw_blob *b, u32 offset)
{
	return ask(b, (u32)b->key << 16 | CONTROL_SELECT | CONTROL_SKIP, 0, offset);
}

/**
 * fw_blob_read - read on
 * @b: of which
 * @to: where to, contiguous memory
 * @len: bytes
 *
 * Return: 0 or -EIO
 */
int fw_blob_read(struct fw_blob *b, phys_addr_t to, u32 len)
{
	return ask(b, CONTROL_READ, to, len);
}
