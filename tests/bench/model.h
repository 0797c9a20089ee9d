/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of `itme-bench model` share: the order in which a model's weights are
 * used, and the ways to have them in memory.
 */
#ifndef ITME_MODEL_H
#define ITME_MODEL_H

#include "bench.h"

/**
 * struct model - what is computed
 * @name: printed with each pass
 * @path: file of the weights
 * @disk: drive that is read, for its counters
 * @layers: of the model
 * @layer: bytes of a layer
 * @piece: bytes of what is used in file order, a tensor; those of a layer, and the
 *	layers, are shuffled if @shuffle
 * @zipf: no layers: pieces at random, as many a pass as there are
 * @experts: of each block of layers of a mixture of experts, 0 if it is none. A piece
 *	is then a slice, that of one expert, of one of MODEL_SLICES tensors of a block
 * @compute_ns: a layer
 * @elsewhere: computed with on no CPU of ours
 * @stride: bytes between two loads
 * @passes: to measure
 * @order: offsets of the pieces, in order of use
 * @nr_pieces: of @order
 */
struct model {
	const char *name;
	const char *path;
	const char *disk;
	uint64_t layers, layer, piece, compute_ns, stride, passes, experts;
	bool shuffle, zipf, elsewhere;
	uint64_t *order;
	uint64_t nr_pieces;
};

static inline uint64_t model_size(const struct model *m)
{
	return m->layers * m->layer;
}

/* gate, up, and down, which are used in that order */
#define MODEL_SLICES	3

static inline uint64_t model_blocks(const struct model *m)
{
	return model_size(m) / m->piece / (MODEL_SLICES * m->experts);
}

/* As in a GGUF: the slices of all experts of a tensor one after the other. */
static inline uint64_t model_slice(const struct model *m, uint64_t block, uint64_t expert,
				   uint64_t slice)
{
	return ((block * MODEL_SLICES + slice) * m->experts + expert) * m->piece;
}

void model_order(struct model *m, uint64_t pass);

/* The pieces of a layer lie in one range of the file. */
uint64_t model_layer_start(const struct model *m, uint64_t nth);

/**
 * struct store - a way to have the weights in memory
 * @name: -m
 * @start: before the first pass
 * @layer: the @nth layer of a pass is used now; where it is, less its offset. NULL
 *	where nobody has to be told
 */
struct store {
	const char *name;
	void (*start)(const struct model *m);
	const char *(*layer)(const struct model *m, uint64_t nth);
};

extern const struct store stores[];

/* dbuf.c: reads layer by layer into two buffers, O_DIRECT by io_uring */
void dbuf_start(const struct model *m);
const char *dbuf_layer(const struct model *m, uint64_t nth);

/* plan.c: tells the kernel the order, by netlink */
void plan_tell(const struct model *m, int fd);

#endif
