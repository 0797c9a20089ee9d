/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's integer types, for code of kmod/ compiled on the host. */
#ifndef HOST_TYPES_H
#define HOST_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
/* The host's own, for what the uapi header uses. */
#include_next <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned long pgoff_t;
typedef u64 sector_t;
typedef unsigned short umode_t;

struct list_head {
	struct list_head *next, *prev;
};

#endif /* HOST_TYPES_H */
