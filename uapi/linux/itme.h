/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ITME: inference tiered memory expansion.
 *
 * The user space interface of itmefs, a file system whose files are imported
 * from lower files (a model on NVMe) and whose page cache is placed by plan on
 * DRAM and CXL memory nodes.
 *
 * All requests are ioctls on a file descriptor of an itmefs mount:
 *
 *   ITME_IOC_INFO         any        what this module can do
 *   ITME_IOC_TIER_GET     any        budget and use of one tier
 *   ITME_IOC_TIER_SET     any        change a budget             CAP_SYS_ADMIN
 *   ITME_IOC_IMPORT       root dir   add a file by lower fd      CAP_SYS_ADMIN
 *   ITME_IOC_OBJECT       file       what the file is made of
 *   ITME_IOC_ADVISE       file       hint on a byte range
 *   ITME_IOC_RESIDENCY    file       where a byte range lies
 *   ITME_IOC_STATS        any        counters, of a file or of all
 *   ITME_IOC_PREFETCH     file       read ranges in, and know when they are there
 *   ITME_IOC_WAIT         file       wait for a byte range
 *   ITME_IOC_LIMIT        subdir     what may be written below    CAP_SYS_ADMIN
 *   ITME_IOC_SWAP_ADD     root dir   put a swap area to use      CAP_SYS_ADMIN
 *   ITME_IOC_SWAP_REMOVE  root dir   empty it and let go of it   CAP_SYS_ADMIN
 *   ITME_IOC_SWAP_GET     root dir   one swap area after another
 *
 * All other files and directories are made, renamed and removed as on tmpfs. An
 * imported file can be renamed and removed, too, but not written.
 *
 * Conventions: sizes and offsets are bytes. Reserved fields and unknown flags
 * must be zero (-EINVAL). A new ability is announced by a feature bit, never by
 * a version number. No request fails because of a bit of another feature.
 * Pointers are passed as __u64, their capacity beside them; a result that does
 * not fit is cut and the full count is returned.
 */
#ifndef _UAPI_LINUX_ITME_H
#define _UAPI_LINUX_ITME_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** ITME_SUPER_MAGIC - statfs(2) f_type of an itmefs mount */
#define ITME_SUPER_MAGIC	0x49544d45

/** ITME_NAME_MAX - longest name of an imported file, in bytes without NUL */
#define ITME_NAME_MAX		255

/**
 * enum itme_tier - where a byte can be
 * @ITME_TIER_DRAM: memory of nodes given as DRAM
 * @ITME_TIER_CXL: memory of nodes given as CXL, loads and stores, no fault
 * @ITME_TIER_NVME: not in memory; the lower file has it
 * @ITME_TIER_NR: number of tiers
 * @ITME_TIER_ANY: no preference (ITME_IOC_ADVISE only)
 */
enum itme_tier {
	ITME_TIER_DRAM	= 0,
	ITME_TIER_CXL	= 1,
	ITME_TIER_NVME	= 2,
	ITME_TIER_NR	= 3,
	ITME_TIER_ANY	= 255,
};

/**
 * enum itme_advice - what a caller knows about a range of a file
 * @ITME_ADVICE_WILLNEED: read it in soon; bounded by what fits, never waits
 * @ITME_ADVICE_COLD: first to leave when room is needed
 * @ITME_ADVICE_PAGEOUT: leave now, to the target tier (NVMe when ANY)
 * @ITME_ADVICE_HOT: belongs into the target tier (DRAM when ANY); moved there
 * @ITME_ADVICE_PIN: bring in to the target tier and keep until UNPIN
 * @ITME_ADVICE_UNPIN: undo PIN
 * @ITME_ADVICE_NR: number of advices
 *
 * A range is widened to whole chunks, except for COLD, PAGEOUT and UNPIN, which
 * take only the chunks that lie wholly inside (a last, partial chunk of the file
 * counts as whole when the range reaches the end of the file).
 */
enum itme_advice {
	ITME_ADVICE_WILLNEED	= 0,
	ITME_ADVICE_COLD	= 1,
	ITME_ADVICE_PAGEOUT	= 2,
	ITME_ADVICE_HOT		= 3,
	ITME_ADVICE_PIN		= 4,
	ITME_ADVICE_UNPIN	= 5,
	ITME_ADVICE_NR		= 6,
};

/* Feature bits of struct itme_info. */
#define ITME_FEATURE_IMPORT	(1ULL << 0)	/* read-only files by lower fd */
#define ITME_FEATURE_ADVISE	(1ULL << 1)	/* ITME_IOC_ADVISE, all above  */
#define ITME_FEATURE_CXL	(1ULL << 2)	/* a second memory tier        */
#define ITME_FEATURE_PREFETCH	(1ULL << 3)	/* ITME_IOC_PREFETCH and _WAIT */
#define ITME_FEATURE_TRIGGER	(1ULL << 4)	/* triggers in plans (netlink) */
#define ITME_FEATURE_NATIVE	(1ULL << 5)	/* written files, ITME_IOC_LIMIT */
#define ITME_FEATURE_SWAP	(1ULL << 6)	/* ITME_IOC_SWAP_*             */

/**
 * struct itme_info - what the module can do
 * @features: out, ITME_FEATURE_*
 * @advices: out, bit n set when advice n is known
 * @chunk_min: out, smallest chunk size, bytes
 * @chunk_max: out, largest and default chunk size, bytes
 * @reserved: zero
 */
struct itme_info {
	__u64 features;
	__u64 advices;
	__u32 chunk_min;
	__u32 chunk_max;
	__u64 reserved[5];
};

/** ITME_NODES_MAX - nodes that fit the node masks of struct itme_tier_info */
#define ITME_NODES_MAX		1024

/**
 * struct itme_tier_info - one memory tier
 * @tier: in, ITME_TIER_DRAM or ITME_TIER_CXL
 * @flags: zero
 * @budget: in for SET, out; bytes ITME may hold of this tier. Whole chunks of
 *	@itme_info.chunk_max count; the rest is unused. SET drops or demotes down
 *	to a smaller budget before it returns.
 * @used: out, bytes held now, those being filled included
 * @pinned: out, bytes under ITME_ADVICE_PIN; of a written file, chunks as a whole
 * @busy: out, bytes that could not leave when asked to, as something else
 *	holds them (a GUP pin: O_DIRECT, RDMA, a GPU); as seen at the last try
 * @capacity: out, bytes of memory on the nodes of this tier
 * @free: out, bytes free on those nodes
 * @reserved: zero
 * @nodes: out, bit n set when NUMA node n belongs to the tier
 *
 * SET errors: -EINVAL budget below the minimum (4 chunks; 0 is allowed for CXL)
 * or larger than the nodes, -EBUSY when pins keep the use above it (nothing is
 * changed), -EPERM, -EINTR.
 */
struct itme_tier_info {
	__u32 tier;
	__u32 flags;
	__u64 budget;
	__u64 used;
	__u64 pinned;
	__u64 busy;
	__u64 capacity;
	__u64 free;
	__u64 reserved[3];
	__u64 nodes[ITME_NODES_MAX / 64];
};

/**
 * struct itme_import - make a file from a lower file
 * @lower_fd: in, the lower file, open for reading; a regular file of a file
 *	system that can do O_DIRECT. It stays open, and cannot be written or
 *	truncated (-ETXTBSY to the writer), until the itmefs file is gone.
 * @flags: zero
 * @chunk_size: in, bytes, a power of two within the bounds of itme_info, or 0
 *	for the default; out, what was taken
 * @name_len: in, bytes of @name, 1 to ITME_NAME_MAX
 * @name: in, pointer to the name, no slash
 * @reserved: zero
 *
 * Errors: -EEXIST name taken; -EFAULT; -EFBIG more than
 * 2^32 chunks; -EBADF not open for reading; -EINVAL not a
 * regular file, on tmpfs or a file system without O_DIRECT, or bad arguments; -ENODATA
 * empty; -ETXTBSY open for writing somewhere (a download under way); -ELOOP on
 * itmefs itself or on too deep a stack; -EPERM, -ENOMEM.
 */
struct itme_import {
	__s32 lower_fd;
	__u32 flags;
	__u32 chunk_size;
	__u32 name_len;
	__u64 name;
	__u64 reserved[3];
};

/* itme_object.flags */
#define ITME_OBJECT_MAPPED	(1U << 0)	/* mapped by somebody now           */
#define ITME_OBJECT_UNLINKED	(1U << 1)	/* the lower file has no name left  */
#define ITME_OBJECT_CHANGED	(1U << 2)	/* the lower file's size or mtime is */
						/* not that of the import           */
#define ITME_OBJECT_REMOVED	(1U << 3)	/* not in a directory any more      */
#define ITME_OBJECT_NATIVE	(1U << 4)	/* a written file, it has no lower  */
						/* file                             */

/**
 * struct itme_object - an imported file
 * @id: out, number of the file, not used again until unmount
 * @size: out, bytes
 * @chunk_size: out, bytes
 * @flags: out, ITME_OBJECT_*
 * @opens: out, open file descriptions, this one included
 * @path_len: in, capacity of @path in bytes; out, length with NUL
 * @path: in, pointer to room for the lower file's path as the caller's root
 *	sees it; " (deleted)" is appended as /proc does; if its mount has gone,
 *	below where that was for who imported it; 0 to skip
 * @lower_ino: out, inode number of the lower file
 * @lower_dev: out, device of the lower file, as st_dev of stat(2)
 * @reserved: zero
 */
struct itme_object {
	__u64 id;
	__u64 size;
	__u32 chunk_size;
	__u32 flags;
	__u32 opens;
	__u32 path_len;
	__u64 path;
	__u64 lower_ino;
	__u64 lower_dev;
	__u64 reserved[3];
};

/**
 * struct itme_advise - a hint on a range of a file
 * @offset: in, bytes
 * @length: in, bytes; 0 means to the end of the file
 * @advice: in, enum itme_advice
 * @tier: in, enum itme_tier; target of WILLNEED, HOT, PIN (DRAM, CXL, ANY) and
 *	of PAGEOUT (CXL, NVME, ANY); ANY for the others
 * @flags: zero
 * @pad: zero
 * @done: out, bytes of the range for which the advice holds on return, or is
 *	under way (WILLNEED)
 * @reserved: zero
 *
 * A hint does not fail because it cannot be followed: @done says how far it was.
 * PIN alone fails with -ENOSPC, and then pins nothing, when the range does not
 * fit the tier beside what is pinned there and the ring that streams need.
 * PIN and UNPIN need CAP_SYS_ADMIN (-EPERM), the others an open file.
 * Errors: -EINVAL unknown advice, tier or flags, a range that starts past the
 * end of the file or overflows; -EINTR; PIN also -EIO the range cannot be read,
 * -ENOMEM.
 */
struct itme_advise {
	__u64 offset;
	__u64 length;
	__u32 advice;
	__u32 tier;
	__u32 flags;
	__u32 pad;
	__u64 done;
	__u64 reserved[3];
};

/*
 * One byte a chunk in the map of ITME_IOC_RESIDENCY: the tier of its first
 * resident byte in the low bits, ITME_TIER_NVME for none, and flags.
 */
#define ITME_MAP_TIER_MASK	0x03
#define ITME_MAP_PARTIAL	0x04	/* not all of it, or on several tiers  */
#define ITME_MAP_FILLING	0x08	/* being read or moved now             */
#define ITME_MAP_PINNED		0x10	/* ITME_ADVICE_PIN                     */
#define ITME_MAP_STREAM		0x20	/* passing through: first to leave     */
#define ITME_MAP_PREFETCHED	0x40	/* read in, not touched yet            */
#define ITME_MAP_ERROR		0x80	/* the last read of it failed          */

/**
 * struct itme_residency - where a range of a file lies
 * @offset: in, bytes, rounded down to a chunk
 * @length: in, bytes, rounded up; 0 means to the end of the file
 * @bytes: out, bytes of the range per tier (enum itme_tier)
 * @map: in, pointer to one byte a chunk, or 0
 * @map_len: in, capacity of @map in bytes; out, chunks in the range
 * @chunk_size: out, bytes
 * @flags: zero
 * @large: out, bytes of the range in folios that can be PMD-mapped
 * @reserved: zero
 *
 * A snapshot chunk by chunk, not one of the whole range at an instant.
 */
struct itme_residency {
	__u64 offset;
	__u64 length;
	__u64 bytes[ITME_TIER_NR];
	__u64 map;
	__u64 map_len;
	__u32 chunk_size;
	__u32 flags;
	__u64 large;
	__u64 reserved[3];
};

/* itme_stats.flags */
#define ITME_STATS_FILE		(1U << 0)	/* in: of this file, not of all     */

/**
 * struct itme_stats - counters, from the import (of a file) or from the mount
 * @flags: in, ITME_STATS_*
 * @pad: zero
 * @read_bytes: bytes read from lower files
 * @reads: reads issued to lower files
 * @demand_bytes: part of @read_bytes somebody waited for
 * @prefetch_bytes: part of @read_bytes asked for ahead of use
 * @prefetch_used_bytes: prefetched and then touched
 * @prefetch_late_bytes: prefetched, but touched before the read was done
 * @prefetch_wasted_bytes: prefetched and dropped without a touch
 * @dropped_bytes: left memory
 * @promoted_bytes: moved from CXL to DRAM
 * @demoted_bytes: moved from DRAM to CXL
 * @stalls: waits of a fault or read for a fill
 * @stall_ns: time of those waits, nanoseconds
 * @stall_max_ns: the longest one
 * @io_errors: chunks whose read failed
 * @small_folio_chunks: chunks filled with folios smaller than the chunk
 * @alloc_fails: times no memory at all could be had at first
 * @busy_fails: times a chunk could not leave, as something held it
 * @hints: advices, by ioctl, madvise or fadvise
 * @hints_dropped: hints that came to nothing, as too many waited or, of triggers,
 *	there was no room
 * @swap_out_bytes: written to swap areas
 * @swap_in_bytes: read back from there
 * @swap_zero_bytes: not written, as all of the page was zero
 * @swap_clean_bytes: left memory without a write, as what was written before still holds
 * @swap_errors: reads and writes of swap areas that failed, or came back wrong
 * @reserved: zero
 */
struct itme_stats {
	__u32 flags;
	__u32 pad;
	__u64 read_bytes;
	__u64 reads;
	__u64 demand_bytes;
	__u64 prefetch_bytes;
	__u64 prefetch_used_bytes;
	__u64 prefetch_late_bytes;
	__u64 prefetch_wasted_bytes;
	__u64 dropped_bytes;
	__u64 promoted_bytes;
	__u64 demoted_bytes;
	__u64 stalls;
	__u64 stall_ns;
	__u64 stall_max_ns;
	__u64 io_errors;
	__u64 small_folio_chunks;
	__u64 alloc_fails;
	__u64 busy_fails;
	__u64 hints;
	__u64 hints_dropped;
	__u64 swap_out_bytes;
	__u64 swap_in_bytes;
	__u64 swap_zero_bytes;
	__u64 swap_clean_bytes;
	__u64 swap_errors;
	__u64 reserved[2];
};

/** ITME_SPANS_MAX - ranges of one ITME_IOC_PREFETCH */
#define ITME_SPANS_MAX		1024

/**
 * struct itme_span - a range of a file
 * @offset: bytes
 * @length: bytes, not 0
 */
struct itme_span {
	__u64 offset;
	__u64 length;
};

/**
 * struct itme_prefetch - read ranges in, and have a descriptor for it
 * @spans: in, pointer to @count struct itme_span, widened to whole chunks and read
 *	in the order given
 * @count: in, 1 to ITME_SPANS_MAX
 * @tier: in, where to: ITME_TIER_DRAM, CXL or ANY
 * @flags: zero
 * @fd: out, the descriptor, close-on-exec
 * @done: out, bytes from the first on that are in memory or will be read in; what
 *	does not fit is left out from the end, as for ITME_ADVICE_WILLNEED
 * @reserved: zero
 *
 * The descriptor is readable for poll(2) when nothing of @done is under way any
 * more. read(2) waits for that, O_NONBLOCK aside, and gives a struct
 * itme_prefetch_result; so it does again. close(2) lets go: what has been read in
 * for this descriptor and not been used is first to leave then.
 *
 * Errors: -EINVAL bad arguments, or a range that is empty, overflows or starts past
 * the end of the file; -EFAULT, -EMFILE, -ENOMEM; -EAGAIN too many are under way.
 */
struct itme_prefetch {
	__u64 spans;
	__u32 count;
	__u32 tier;
	__u32 flags;
	__s32 fd;
	__u64 done;
	__u64 reserved[4];
};

/**
 * struct itme_prefetch_result - what became of a prefetch, as of now
 * @bytes: in memory
 * @missing: not in memory: could not be read, found no room, or has left again
 * @failed: part of @missing that could not be read
 * @reserved: zero
 */
struct itme_prefetch_result {
	__u64 bytes;
	__u64 missing;
	__u64 failed;
	__u64 reserved;
};

/**
 * struct itme_wait - wait until a range is in memory, or nobody reads it in
 * @offset: in, bytes, rounded down to a chunk
 * @length: in, bytes, rounded up; 0 means to the end of the file
 * @timeout_ns: in, how long at most; 0 not at all, negative for ever
 * @flags: zero
 * @pad: zero
 * @done: out, bytes in memory
 * @missing: out, bytes that are not, and that no fill or hint is about to read in.
 *	What is neither is under way: the time was over.
 * @reserved: zero
 *
 * It has nothing read in by itself. Errors: -EINVAL; -EINTR a signal came.
 */
struct itme_wait {
	__u64 offset;
	__u64 length;
	__s64 timeout_ns;
	__u32 flags;
	__u32 pad;
	__u64 done;
	__u64 missing;
	__u64 reserved[2];
};

/* itme_swap_add.flags and itme_swap.flags */
#define ITME_SWAP_CHECK		(1U << 0)	/* CRC32C of what comes back         */
/* itme_swap.flags alone */
#define ITME_SWAP_BAD		(1U << 1)	/* a write has failed: nothing more  */
						/* is written there                  */
#define ITME_SWAP_DRAINING	(1U << 2)	/* ITME_IOC_SWAP_REMOVE is under way */

/** ITME_SWAP_PRIO_MAX - highest priority of a swap area, as for swapon(2) */
#define ITME_SWAP_PRIO_MAX	32767

/**
 * struct itme_swap_add - put a swap area to use
 * @fd: in, a block device or a regular file, open for reading and writing, with the
 *	header that mkswap(8) writes, in either byte order. It need not stay open. Until it
 *	is removed nobody else can mount, swapon, write or truncate it.
 * @prio: in, 0 to ITME_SWAP_PRIO_MAX: areas of a higher one are filled first, those of the
 *	same one in turn; -1: below all areas that are there; out, what was taken
 * @flags: in, ITME_SWAP_CHECK
 * @id: out, number of the area, not used again until unmount
 * @reserved: zero
 *
 * What the area held is lost. Errors: -EBADF not open for both; -EBUSY mounted, or in
 * use as swap, here or by the kernel; -EINVAL neither device nor file, a file with holes,
 * no header, or one of another page size, or bad arguments; -ENOSPC nothing is left beside
 * its bad pages; -EROFS the device is read-only; -EOPNOTSUPP zoned device, or
 * a file system that cannot say where its files are; -E2BIG too many areas;
 * -EIO, -EINTR, -EPERM, -ENOMEM.
 */
struct itme_swap_add {
	__s32 fd;
	__s32 prio;
	__u32 flags;
	__u32 id;
	__u64 reserved[4];
};

/**
 * struct itme_swap_remove - let go of a swap area
 * @id: in, its number
 * @flags: zero
 * @reserved: zero
 *
 * First all that lies there is read back or written to other areas; how far that is,
 * ITME_IOC_SWAP_GET says. A signal ends it (-EINTR), and the area is used as before.
 * Errors: -ENOENT; -ENOSPC what lies there has no room elsewhere; -EIO some of it
 * cannot be read: remove the files that have it; -EBUSY it is being removed already; -EPERM,
 * -ENOMEM. But for the first, the area stays.
 */
struct itme_swap_remove {
	__u32 id;
	__u32 flags;
	__u64 reserved[3];
};

/**
 * struct itme_swap - a swap area
 * @id: in, 0 or any number; out, that of the first area from it on
 * @flags: in, zero; out, ITME_SWAP_*
 * @prio: out, priority
 * @path_len: in, capacity of @path in bytes; out, length with NUL
 * @path: in, pointer to room for the path of the device or file, as the caller's root
 *	sees it; if its mount has gone, below where that was for who added it; 0 to skip
 * @bytes: out, what it can hold
 * @used: out, what it holds
 * @read_bytes: out, read from it since it was added
 * @write_bytes: out, written to it
 * @errors: out, reads and writes that failed or came back wrong
 * @label: out, of mkswap -L, padded with zeroes
 * @uuid: out, of the header
 * @reserved: zero
 *
 * For the next one ask for @id + 1. Error: -ENOENT there is none.
 */
struct itme_swap {
	__u32 id;
	__u32 flags;
	__s32 prio;
	__u32 path_len;
	__u64 path;
	__u64 bytes;
	__u64 used;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 errors;
	__u8 label[16];
	__u8 uuid[16];
	__u64 reserved[4];
};

/* itme_limit.flags */
#define ITME_LIMIT_SET		(1U << 0)	/* in: set it, else only ask         */

/**
 * struct itme_limit - what the files below a directory may take
 * @bytes: in with SET, the limit, a page at least, rounded down to pages; 0: none but
 *	those of the directories above; out, the least of its own and those above, 0: there is none
 * @used: out, bytes that what was made below takes, or was promised (fallocate(2))
 * @flags: in, ITME_LIMIT_*
 * @pad: zero
 * @reserved: zero
 *
 * The limit holds for what is made below the directory from then on, so the first time
 * the directory must be empty (-ENOTEMPTY). What would be more fails with ENOSPC. A
 * rename or link into or out of it fails with EXDEV, as between file systems, and
 * statfs(2) below it shows the limit and what is left of it. A limit can be lowered
 * below what is used; then nothing more comes.
 * Errors: -ENOTTY not a directory, or the root: what all files together may
 * take is what memory and swap areas have; -ENOENT the directory is removed; -ENOTEMPTY
 * (SET) it has no limit yet, and is not empty; -EPERM (SET); -EINVAL, also less than a
 * page; -ENOMEM.
 */
struct itme_limit {
	__u64 bytes;
	__u64 used;
	__u32 flags;
	__u32 pad;
	__u64 reserved[3];
};

#define ITME_IOC_MAGIC		'I'
#define ITME_IOC_INFO		_IOWR(ITME_IOC_MAGIC, 0x40, struct itme_info)
#define ITME_IOC_TIER_GET	_IOWR(ITME_IOC_MAGIC, 0x41, struct itme_tier_info)
#define ITME_IOC_TIER_SET	_IOWR(ITME_IOC_MAGIC, 0x42, struct itme_tier_info)
#define ITME_IOC_IMPORT		_IOWR(ITME_IOC_MAGIC, 0x43, struct itme_import)
#define ITME_IOC_OBJECT		_IOWR(ITME_IOC_MAGIC, 0x44, struct itme_object)
#define ITME_IOC_ADVISE		_IOWR(ITME_IOC_MAGIC, 0x45, struct itme_advise)
#define ITME_IOC_RESIDENCY	_IOWR(ITME_IOC_MAGIC, 0x46, struct itme_residency)
#define ITME_IOC_STATS		_IOWR(ITME_IOC_MAGIC, 0x47, struct itme_stats)
#define ITME_IOC_PREFETCH	_IOWR(ITME_IOC_MAGIC, 0x48, struct itme_prefetch)
#define ITME_IOC_WAIT		_IOWR(ITME_IOC_MAGIC, 0x49, struct itme_wait)
#define ITME_IOC_SWAP_ADD	_IOWR(ITME_IOC_MAGIC, 0x4a, struct itme_swap_add)
#define ITME_IOC_SWAP_REMOVE	_IOWR(ITME_IOC_MAGIC, 0x4b, struct itme_swap_remove)
#define ITME_IOC_SWAP_GET	_IOWR(ITME_IOC_MAGIC, 0x4c, struct itme_swap)
#define ITME_IOC_LIMIT		_IOWR(ITME_IOC_MAGIC, 0x4d, struct itme_limit)

#endif /* _UAPI_LINUX_ITME_H */
