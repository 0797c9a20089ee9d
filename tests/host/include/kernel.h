/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as kmod/residency.c, plan.c, trigger.c and the headers of kmod/ need on the
 * host, where one thread plays all parts. Headers of the kernel that are not in
 * include/linux/ stand for this one; the Makefile makes them.
 */
#ifndef HOST_KERNEL_H
#define HOST_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <linux/list.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
/* of kmod/compat.h, which knows of versions of the real one */
#define ITME_WRITTEN_ORDER	9
#define NSEC_PER_SEC	1000000000L
#define HZ		250
#ifndef U32_MAX
#define U32_MAX		UINT32_MAX
#endif

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define smp_mb()		__sync_synchronize()
#define smp_mb__after_atomic()	__sync_synchronize()
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d)	DIV_ROUND_UP((unsigned long long)(n), d)
#define min(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a < _b ? _a : _b; })
#define max(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a > _b ? _a : _b; })
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define max_t(t, a, b)		max((t)(a), (t)(b))
#define clamp(v, lo, hi)	min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi)	clamp((t)(v), (t)(lo), (t)(hi))
#define div_u64(a, b)		((u64)(a) / (b))
#define swab32(x)		__builtin_bswap32(x)

/* A kernel would only print it. */
#define WARN_ON_ONCE(cond)	assert(!(cond))

typedef struct { u32 val; } kuid_t;
typedef struct { u32 val; } kgid_t;
typedef struct { int v; } atomic_t;
typedef struct { int v; } refcount_t;
typedef struct { long v; } atomic_long_t;
typedef struct { s64 v; } atomic64_t;

#define atomic_read(a)		((a)->v)
#define atomic_inc(a)		((void)(a)->v++)
#define atomic_dec(a)		((void)(a)->v--)
#define atomic_long_read(a)	((a)->v)
#define atomic_long_set(a, n)	((void)((a)->v = (n)))
#define atomic_long_add(n, a)	((void)((a)->v += (n)))
#define atomic_long_sub(n, a)	((void)((a)->v -= (n)))
#define atomic64_read(a)	((a)->v)
#define atomic64_add(n, a)	((void)((a)->v += (n)))

/* Taken twice, or asserted and not taken: caught. */
typedef struct { bool taken; } spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->taken = false;
}

static inline void spin_lock(spinlock_t *lock)
{
	assert(!lock->taken);
	lock->taken = true;
}

static inline void spin_unlock(spinlock_t *lock)
{
	assert(lock->taken);
	lock->taken = false;
}

#define lockdep_assert_held(lock) assert((lock)->taken)
#define cond_resched()		((void)0)

struct mutex { int unused; };
typedef struct { int unused; } wait_queue_head_t;
typedef struct { unsigned long bits; } nodemask_t;
struct workqueue_struct;
struct work_struct { void (*func)(struct work_struct *work); };
struct delayed_work { int unused; };
struct llist_head { int unused; };
struct timespec64 { s64 tv_sec; long tv_nsec; };
struct kiocb { int unused; };
struct iov_iter { int unused; };
struct bio_vec { int unused; };
struct super_block { void *s_fs_info; };
struct inode;
struct dentry;
struct vm_area_struct;
struct address_space { struct inode *host; };
struct inode { loff_t i_size; unsigned int i_nlink; struct address_space *i_mapping, i_data; };
struct file;
struct folio;
struct file_operations;
struct address_space_operations;

static inline loff_t i_size_read(const struct inode *inode)
{
	return inode->i_size;
}

/* Evicting inodes are not played. */
static inline struct inode *igrab(struct inode *inode)
{
	return inode;
}

struct xarray { void *slot[16]; };

static inline void *xa_load(const struct xarray *xa, unsigned long index)
{
	assert(index < 16);
	return xa->slot[index];
}

static inline void xa_erase(struct xarray *xa, unsigned long index)
{
	assert(index < 16);
	xa->slot[index] = NULL;
}

#define wake_up_var(var)	((void)(var))
#define wake_up_all(wq)		((void)(wq))
/* The simulator waits in its own way. */
#define wait_var_event(var, cond) ((void)(var), assert(cond))
#define wait_var_event_killable(var, cond) ((void)(var), assert(cond), 0)

#define likely(x)		(x)
#define min3(a, b, c)		min(min(a, b), c)
#define BIT_ULL(n)		(1ULL << (n))
#define div64_u64(a, b)		((u64)(a) / (b))
#define mul_u64_u64_shr(a, b, n) ((u64)((unsigned __int128)(a) * (b) >> (n)))
#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0
#define kzalloc(n, gfp)		calloc(1, n)
#define kvcalloc(nr, n, gfp)	calloc(nr, n)
#define kvmalloc_array(nr, n, gfp) malloc((size_t)(nr) * (n))
#define kvrealloc(p, n, gfp)	realloc(p, n)
#define kvfree(p)		free(p)
#define kfree(p)		free(p)

#define refcount_set(r, n)	((void)((r)->v = (n)))
#define refcount_inc(r)		((void)(r)->v++)
#define refcount_dec(r)		((void)(r)->v--)
#define refcount_dec_and_test(r) (!--(r)->v)
#define atomic_inc_return(a)	(++(a)->v)

/* Nobody looks at the same time. */
struct rcu_head { int unused; };
#define rcu_read_lock()		((void)0)
#define rcu_read_unlock()	((void)0)
#define list_for_each_entry_rcu list_for_each_entry
#define list_add_tail_rcu	list_add_tail
#define list_del_rcu		list_del_init
#define call_rcu(head, f)	(f)(head)

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	DIV_ROUND_UP((size_t)(n), BITS_PER_LONG)

static inline bool test_bit(u32 bit, const unsigned long *map)
{
	return map[bit / BITS_PER_LONG] >> bit % BITS_PER_LONG & 1;
}

static inline void __set_bit(u32 bit, unsigned long *map)
{
	map[bit / BITS_PER_LONG] |= 1UL << bit % BITS_PER_LONG;
}

static inline void __clear_bit(u32 bit, unsigned long *map)
{
	map[bit / BITS_PER_LONG] &= ~(1UL << bit % BITS_PER_LONG);
}

static inline bool test_and_set_bit(u32 bit, unsigned long *map)
{
	bool was = test_bit(bit, map);

	__set_bit(bit, map);
	return was;
}

static inline bool test_and_clear_bit(u32 bit, unsigned long *map)
{
	bool was = test_bit(bit, map);

	__clear_bit(bit, map);
	return was;
}

static inline void bitmap_fill(unsigned long *map, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		__set_bit(i, map);
}

static inline u32 find_first_bit(const unsigned long *map, u32 nr)
{
	u32 i = 0;

	while (i < nr && !test_bit(i, map))
		i++;
	return i;
}

/* The simulator knows what is mapped. */
#define mapping_mapped(mapping)	true
void unmap_mapping_pages(struct address_space *mapping, u64 first, u64 nr, bool even_cows);

/* Work is the simulator's, and so is time. */
#define INIT_WORK(work, f)	((void)((work)->func = (f)))
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
u64 ktime_get_ns(void);

#endif /* HOST_KERNEL_H */
