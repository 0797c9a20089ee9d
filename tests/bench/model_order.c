// SPDX-License-Identifier: GPL-2.0
/* In which order a model's pieces are used. */
#include <stdlib.h>

#include "model.h"

static uint64_t seed;

static uint64_t random_below(uint64_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

/* 0 to @nr - 1, shuffled or not. */
static uint64_t *numbers(uint64_t nr, bool shuffle)
{
	uint64_t *v = calloc(nr, sizeof(*v));

	if (!v)
		die("no memory");
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t j = shuffle ? random_below(i + 1) : i;

		v[i] = v[j];
		v[j] = i;
	}
	return v;
}

static void by_layers(struct model *m)
{
	uint64_t per_layer = m->layer / m->piece;
	uint64_t *layers = numbers(m->layers, m->shuffle);
	uint64_t n = 0;

	for (uint64_t i = 0; i < m->layers; i++) {
		uint64_t *pieces = numbers(per_layer, m->shuffle);

		for (uint64_t j = 0; j < per_layer; j++)
			m->order[n++] = layers[i] * m->layer + pieces[j] * m->piece;
		free(pieces);
	}
	free(layers);
}

/* Below @nr; the nth is as likely as 1/n of the first (Zipf's law). */
static uint64_t draw(uint64_t nr)
{
	static double *sum;
	static uint64_t of;
	uint64_t low = 0, high = nr;
	double x;

	if (of != nr) {
		free(sum);
		sum = calloc(nr + 1, sizeof(*sum));
		if (!sum)
			die("no memory");
		for (uint64_t i = 0; i < nr; i++)
			sum[i + 1] = sum[i] + 1.0 / (i + 1);
		of = nr;
	}
	x = random_below(1U << 31) / (double)(1U << 31) * sum[nr];
	while (high - low > 1) {
		uint64_t mid = (low + high) / 2;

		if (sum[mid] <= x)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static void by_zipf(struct model *m, uint64_t pass)
{
	uint64_t *places = numbers(m->nr_pieces, true);

	seed += pass;
	for (uint64_t i = 0; i < m->nr_pieces; i++)
		m->order[i] = places[draw(m->nr_pieces)] * m->piece;
	free(places);
}

/*
 * Two experts of each block a token, of which some are used more than others, in each
 * block others (Zipf's law); as many tokens as about use as much as there is.
 */
static void by_experts(struct model *m, uint64_t pass)
{
	uint64_t blocks = model_blocks(m), each = 2 * MODEL_SLICES;
	uint64_t tokens = m->nr_pieces / (blocks * each), n = 0;
	uint64_t **places = calloc(blocks, sizeof(*places));

	if (!places)
		die("no memory");
	for (uint64_t block = 0; block < blocks; block++)
		places[block] = numbers(m->experts, true);
	seed += pass;
	for (uint64_t i = 0; i < tokens * blocks; i++) {
		uint64_t first = m->experts, expert;

		for (int k = 0; k < 2; k++) {
			do
				expert = draw(m->experts);
			while (expert == first);
			first = expert;
			for (uint64_t slice = 0; slice < MODEL_SLICES; slice++)
				m->order[n++] = model_slice(m, i % blocks,
							    places[i % blocks][expert], slice);
		}
	}
	m->nr_pieces = n;
	for (uint64_t block = 0; block < blocks; block++)
		free(places[block]);
	free(places);
}

/* The places of the pieces are the same in each pass, what is drawn is not. */
void model_order(struct model *m, uint64_t pass)
{
	seed = 1;
	m->nr_pieces = model_size(m) / m->piece;
	if (!m->order)
		m->order = calloc(m->nr_pieces, sizeof(*m->order));
	if (!m->order)
		die("no memory");
	if (m->experts)
		by_experts(m, pass);
	else if (m->zipf)
		by_zipf(m, pass);
	else
		by_layers(m);
}

uint64_t model_layer_start(const struct model *m, uint64_t nth)
{
	uint64_t first = m->order[nth * (m->layer / m->piece)];

	return first - first % m->layer;
}
