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

/* The nth most used piece is used 1/n as often as the first one (Zipf's law). */
static void by_zipf(struct model *m, uint64_t pass)
{
	uint64_t *places = numbers(m->nr_pieces, true);
	double *sum = calloc(m->nr_pieces + 1, sizeof(*sum));

	if (!sum)
		die("no memory");
	seed += pass;
	for (uint64_t i = 0; i < m->nr_pieces; i++)
		sum[i + 1] = sum[i] + 1.0 / (i + 1);
	for (uint64_t i = 0; i < m->nr_pieces; i++) {
		double x = random_below(1U << 31) / (double)(1U << 31) * sum[m->nr_pieces];
		uint64_t low = 0, high = m->nr_pieces;

		while (high - low > 1) {
			uint64_t mid = (low + high) / 2;

			if (sum[mid] <= x)
				low = mid;
			else
				high = mid;
		}
		m->order[i] = places[low] * m->piece;
	}
	free(sum);
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
	if (m->zipf)
		by_zipf(m, pass);
	else
		by_layers(m);
}

uint64_t model_layer_start(const struct model *m, uint64_t nth)
{
	uint64_t first = m->order[nth * (m->layer / m->piece)];

	return first - first % m->layer;
}
