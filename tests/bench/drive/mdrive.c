// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: /dev/mdrive, a drive that takes the time of one, for what is measured under
 * instruction counting: `make bench-model`, and `make demo` with DEMO_COUNTED=1
 *
 * A request is ready @latency_ns after it came; then its bytes pass over the one
 * link at @mbps (10^6 bytes a second), one request after the other. So a request
 * alone takes latency and transfer, and many at once the transfers. Its clock is
 * the guest's, so under instruction counting it is exact.
 *
 * To the CPU the data costs what DMA costs it, nothing: either none is moved, and who
 * wants it back puts another drive under those blocks (dm-linear), or the drive holds
 * @blob, which the emulator copies from, and can only be read.
 *
 * null_blk does not do for this. Its mbps= is a quantum each 20 ms, within which it
 * is as fast as the CPU: a reader that takes less than the rate on average never
 * waits for a transfer at all.
 */
#include <linux/blk-mq.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include "fw_blob.h"

static uint mbps = 700;
module_param(mbps, uint, 0644);
MODULE_PARM_DESC(mbps, "transfer rate, 10^6 bytes a second; change it while idle");

static uint latency_ns = 40000;
module_param(latency_ns, uint, 0644);
MODULE_PARM_DESC(latency_ns, "of each request; change it while idle");

static ulong size_mib = 1024;
module_param(size_mib, ulong, 0444);
MODULE_PARM_DESC(size_mib, "of the drive, unless it holds a blob");

static char *blob = "";
module_param(blob, charp, 0444);
MODULE_PARM_DESC(blob, "what it holds, as QEMU's -fw_cfg names it; without, nothing");

/* As a usual NVMe drive has it. */
#define QUEUE_DEPTH	256
#define MAX_SECTORS	1024

/**
 * struct mdrive - the drive
 * @disk: of it
 * @tags: of it
 * @lock: of all below
 * @queue: requests under way, by the time they are done
 * @link_free: when the link has passed on all so far, ktime
 * @timer: of the head of @queue
 * @blob: what it holds; no dma, none
 */
struct mdrive {
	struct gendisk *disk;
	struct blk_mq_tag_set tags;
	/* what follows */
	spinlock_t lock;
	struct list_head queue;
	ktime_t link_free;
	struct hrtimer timer;
	struct fw_blob blob;
};

struct mdrive_cmd {
	struct list_head node;
	ktime_t done;
	blk_status_t status;
};

static struct mdrive mdrive;

/* Under @lock. Data may be there before the drive says so: nobody looks. */
static int move_data(struct mdrive *d, struct request *rq)
{
	struct req_iterator iter;
	struct bio_vec bv;
	int err;

	if (req_op(rq) != REQ_OP_READ)
		return -EIO;
	err = fw_blob_seek(&d->blob, blk_rq_pos(rq) << SECTOR_SHIFT);
	rq_for_each_bvec(bv, rq, iter) {
		if (err)
			break;
		err = fw_blob_read(&d->blob, page_to_phys(bv.bv_page) + bv.bv_offset, bv.bv_len);
	}
	return err;
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct mdrive_cmd *cmd = blk_mq_rq_to_pdu(bd->rq);
	struct mdrive *d = &mdrive;
	unsigned long flags;
	bool first;

	blk_mq_start_request(bd->rq);
	spin_lock_irqsave(&d->lock, flags);
	d->link_free = max(d->link_free, ktime_add_ns(ktime_get(), READ_ONCE(latency_ns)));
	d->link_free = ktime_add_ns(d->link_free, div_u64(1000ULL * blk_rq_bytes(bd->rq),
							  max(1U, READ_ONCE(mbps))));
	cmd->done = d->link_free;
	cmd->status = d->blob.dma && move_data(d, bd->rq) ? BLK_STS_IOERR : BLK_STS_OK;
	first = list_empty(&d->queue);
	list_add_tail(&cmd->node, &d->queue);
	if (first)
		hrtimer_start(&d->timer, cmd->done, HRTIMER_MODE_ABS);
	spin_unlock_irqrestore(&d->lock, flags);
	return BLK_STS_OK;
}

static enum hrtimer_restart timer_fn(struct hrtimer *timer)
{
	struct mdrive *d = container_of(timer, struct mdrive, timer);
	enum hrtimer_restart again = HRTIMER_NORESTART;
	struct mdrive_cmd *cmd, *next;
	LIST_HEAD(done);

	spin_lock(&d->lock);
	list_for_each_entry_safe(cmd, next, &d->queue, node) {
		if (ktime_after(cmd->done, ktime_get())) {
			hrtimer_set_expires(timer, cmd->done);
			again = HRTIMER_RESTART;
			break;
		}
		list_move_tail(&cmd->node, &done);
	}
	spin_unlock(&d->lock);
	list_for_each_entry_safe(cmd, next, &done, node)
		blk_mq_end_request(blk_mq_rq_from_pdu(cmd), cmd->status);
	return again;
}

static const struct blk_mq_ops mq_ops = {
	.queue_rq = queue_rq,
};

static const struct block_device_operations disk_ops = {
	.owner = THIS_MODULE,
};

static int __init mdrive_init(void)
{
	struct queue_limits limits = {
		.logical_block_size = 512,
		.physical_block_size = 4096,
		.max_hw_sectors = MAX_SECTORS,
		.dma_alignment = 3,
	};
	struct mdrive *d = &mdrive;
	u64 size = (u64)size_mib << 20;
	int err;

	if (*blob) {
		err = fw_blob_open(&d->blob, blob);
		if (err)
			return err;
		size = d->blob.size;
	}
	spin_lock_init(&d->lock);
	INIT_LIST_HEAD(&d->queue);
	hrtimer_init(&d->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	d->timer.function = timer_fn;
	d->tags.ops = &mq_ops;
	d->tags.nr_hw_queues = 1;
	d->tags.queue_depth = QUEUE_DEPTH;
	d->tags.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	d->tags.numa_node = NUMA_NO_NODE;
	d->tags.cmd_size = sizeof(struct mdrive_cmd);
	err = blk_mq_alloc_tag_set(&d->tags);
	if (err)
		goto close;
	d->disk = blk_mq_alloc_disk(&d->tags, &limits, NULL);
	if (IS_ERR(d->disk)) {
		err = PTR_ERR(d->disk);
		goto tags;
	}
	d->disk->fops = &disk_ops;
	strscpy(d->disk->disk_name, "mdrive", sizeof(d->disk->disk_name));
	set_capacity(d->disk, size >> SECTOR_SHIFT);
	set_disk_ro(d->disk, *blob);
	err = add_disk(d->disk);
	if (!err)
		return 0;
	put_disk(d->disk);
tags:
	blk_mq_free_tag_set(&d->tags);
close:
	fw_blob_close(&d->blob);
	return err;
}

static void __exit mdrive_exit(void)
{
	del_gendisk(mdrive.disk);
	put_disk(mdrive.disk);
	hrtimer_cancel(&mdrive.timer);
	blk_mq_free_tag_set(&mdrive.tags);
	fw_blob_close(&mdrive.blob);
}

module_init(mdrive_init);
module_exit(mdrive_exit);
MODULE_DESCRIPTION("A drive that takes the time of one");
MODULE_LICENSE("GPL");
