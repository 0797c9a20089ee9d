/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: what the emulator gives its guest by name, read as a device reads
 *
 * ``-fw_cfg name=opt/NAME,file=FILE`` of QEMU; its DMA interface, see QEMU's
 * docs/specs/fw_cfg.rst. The emulator copies within the one instruction that asks for
 * it: under instruction counting a megabyte costs the guest as much as a byte, and
 * takes no time.
 */
#ifndef FW_BLOB_H
#define FW_BLOB_H

#include <linux/types.h>

/**
 * struct fw_blob - one of them
 * @size: bytes
 * @key: by which the emulator knows it
 * @dma: what it is asked with; so one at a time asks
 */
struct fw_blob {
	u32 size;
	u16 key;
	struct fw_blob_dma *dma;
};

int fw_blob_open(struct fw_blob *b, const char *name);
void fw_blob_close(struct fw_blob *b);
int fw_blob_seek(struct fw_blob *b, u32 offset);
int fw_blob_read(struct fw_blob *b, phys_addr_t to, u32 len);

#endif
