// SPDX-License-Identifier: GPL-2.0
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A loop of checks that all fail shall not fill the disk. */
#define FAILURES_SHOWN	10

static int failures;
static uint64_t state;

void tap_note(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

void tap_check(bool ok, const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list args;

	if (ok || failures++ >= FAILURES_SHOWN)
		return;
	printf("# %s:%d: not so: %s", file, line, cond);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

void tap_seed(uint64_t seed)
{
	const char *env = getenv("HOST_SEED");

	state = env ? strtoull(env, NULL, 0) + seed : seed;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint32_t tap_random(uint32_t below)
{
	return (uint32_t)(next() >> 32) % below;
}

double tap_uniform(void)
{
	return (double)(next() >> 11) / (double)(UINT64_C(1) << 53);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return argc < 2;
}

int tap_main(int argc, char **argv, const struct test *tests, int nr)
{
	bool failed = false;
	int planned = 0;
	int done = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < nr; i++)
		planned += wanted(tests[i].name, argc, argv);
	printf("TAP version 13\n1..%d\n", planned);
	for (int i = 0; i < nr; i++) {
		if (!wanted(tests[i].name, argc, argv))
			continue;
		failures = 0;
		tap_seed(1);
		tests[i].run();
		printf("%sok %d %s\n", failures ? "not " : "", ++done, tests[i].name);
		failed |= failures;
	}
	return failed;
}
