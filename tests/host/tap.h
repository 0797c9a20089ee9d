/* SPDX-License-Identifier: GPL-2.0 */
/* Results as TAP: one line a test; what a test says of itself goes before it. */
#ifndef HOST_TAP_H
#define HOST_TAP_H

#include <stdbool.h>
#include <stdint.h>

struct test {
	const char *name;
	void (*run)(void);
};

/* Runs all, or those whose name contains an argument; the program's exit code. */
int tap_main(int argc, char **argv, const struct test *tests, int nr);

/* Fails the test, which goes on. */
#define CHECK(cond, ...) tap_check(cond, __FILE__, __LINE__, #cond, " " __VA_ARGS__)
void tap_check(bool ok, const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Random numbers, the same on every run unless HOST_SEED says otherwise. */
void tap_seed(uint64_t seed);
uint32_t tap_random(uint32_t below);
double tap_uniform(void);

#define TAP_MAIN(tests)								\
	int main(int argc, char **argv)						\
	{									\
		return tap_main(argc, argv, tests, sizeof(tests) / sizeof(*(tests))); \
	}

#endif /* HOST_TAP_H */
