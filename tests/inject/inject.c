// SPDX-License-Identifier: GPL-2.0
/* The files of debugfs and proc by which faults are injected. */
#include <inttypes.h>
#include <sys/sysmacros.h>

#include "common.h"
#include "inject.h"

#define DEBUGFS		"/sys/kernel/debug"

static struct {
	const char *name;
	char dir[64];		/* in debugfs */
	bool have;
	uint32_t armed;		/* how many may fail */
} kinds[KINDS] = {
	[TASK] = { .name = "task" },
	[SLAB] = { .name = "slab", .dir = "failslab" },
	[PAGES] = { .name = "pages", .dir = "fail_page_alloc" },
	[COPY] = { .name = "copy", .dir = "fail_usercopy" },
	[SUBMIT] = { .name = "submit", .dir = "fail_make_request" },
	[DRIVE] = { .name = "drive" },
};

/* a range of kernel text; empty when not found */
struct range {
	uint64_t from, to;
};

static struct range module_text, kmemleak_text;
/* where TASK fails: all of the kernel */
static struct range task_text = { 0, UINT64_MAX };
static int nth_fd = -1;

static void set_text(enum fault kind, const char *file, const char *text)
{
	char path[192];
	int ret;

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kinds[kind].dir, file);
	ret = write_file(path, text);
	if (ret) {
		fprintf(stderr, "# %s to %s: %s\n", text, path, strerror(-ret));
		abort();
	}
}

static void set(enum fault kind, const char *file, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	set_text(kind, file, text);
}

static int64_t get(enum fault kind, const char *file)
{
	char path[192], text[32];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kinds[kind].dir, file);
	return read_file(path, text, sizeof(text)) > 0 ? strtoll(text, NULL, 0) : -1;
}

static bool has(enum fault kind, const char *file)
{
	char path[192];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kinds[kind].dir, file);
	return !access(path, W_OK);
}

/* A function, to the next one behind it; the kernel's own come first, in order. */
static struct range function_text(const char *module, const char *function)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], name[256], mod[64], type;
	size_t len = strlen(function);
	struct range r = { 0, 0 };
	uint64_t addr;

	while (f && fgets(line, sizeof(line), f)) {
		mod[0] = 0;
		if (sscanf(line, "%" SCNx64 " %c %255s [%63[^]]]", &addr, &type, name, mod) < 3 ||
		    !strchr("tT", type) || strcmp(module, mod))
			continue;
		/* name, or name.isra.0 and the like */
		if (!strncmp(name, function, len) && (!name[len] || name[len] == '.') &&
		    !strstr(name, ".cold"))
			r = (struct range){ addr, UINT64_MAX };
		else if (r.from && addr > r.from && addr < r.to)
			r.to = addr;
		if (!module[0] && r.from && r.to != UINT64_MAX)
			break;
	}
	if (f)
		fclose(f);
	/* the last one of all has no next */
	if (r.to == UINT64_MAX)
		r.to = r.from + PAGE;
	return r;
}

static uint64_t module_value(const char *file, int base)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "/sys/module/itme/%s", file);
	return read_file(path, text, sizeof(text)) > 0 ? strtoull(text, NULL, base) : 0;
}

/* All sections of text lie together; what the module has in all is more than they. */
static struct range text_of_module(void)
{
	static const char * const sections[] = { ".text", ".text.unlikely", ".exit.text" };
	struct range r = { 0, 0 };

	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		char file[64];
		uint64_t at;

		snprintf(file, sizeof(file), "sections/%s", sections[i]);
		at = module_value(file, 16);
		if (at && (!r.from || at < r.from))
			r.from = at;
	}
	if (r.from)
		r.to = r.from + module_value("coresize", 10);
	return r;
}

static void filter(enum fault kind, const char *which, struct range r)
{
	char file[32], text[32];

	snprintf(file, sizeof(file), "%s-start", which);
	snprintf(text, sizeof(text), "%#" PRIx64, r.from);
	set_text(kind, file, text);
	snprintf(file, sizeof(file), "%s-end", which);
	snprintf(text, sizeof(text), "%#" PRIx64, r.to);
	set_text(kind, file, text);
}

void inject_look(void)
{
	module_text = text_of_module();
	/* the one is in the other, or not, as the compiler likes */
	kmemleak_text = function_text("", "__alloc_object");
	if (!kmemleak_text.from)
		kmemleak_text = function_text("", "mem_pool_alloc");
}

int inject_within(enum fault kind, const char *function)
{
	struct range r = function ? function_text("itme", function) : module_text;

	if (!r.from)
		return -ENOENT;
	filter(kind, "require", r);
	return 0;
}

/* For TASK the filters of the kinds hold as well, so they give way. */
static void filter_task(bool task)
{
	for (enum fault kind = SLAB; kind <= SUBMIT; kind++)
		if (kinds[kind].have && (task || module_text.from))
			filter(kind, "require", task ? task_text : module_text);
}

int inject_task_within(const char *function)
{
	struct range r = function_text("", function);

	if (!r.from)
		return -ENOENT;
	task_text = r;
	return 0;
}

int inject_task_but(const char *function)
{
	struct range r = function_text("", function);

	if (!r.from)
		return -ENOENT;
	for (enum fault kind = SLAB; kind <= PAGES; kind++)
		filter(kind, "reject", r);
	return 0;
}

/* The drive under the lower directory, e.g. nvme0n1. */
static void setup_drive(void)
{
	char path[128], text[512], *name, *end;
	struct stat st;

	if (!lower_dir() || stat(lower_dir(), &st))
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/make-it-fail", major(st.st_dev),
		 minor(st.st_dev));
	kinds[SUBMIT].have = has(SUBMIT, "probability") && !write_file(path, "1");

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(st.st_dev),
		 minor(st.st_dev));
	if (read_file(path, text, sizeof(text)) < 0)
		return;
	name = strstr(text, "DEVNAME=");
	if (!name)
		return;
	name += strlen("DEVNAME=");
	end = strchrnul(name, '\n');
	snprintf(kinds[DRIVE].dir, sizeof(kinds[DRIVE].dir), "%.*s/fault_inject",
		 (int)(end - name), name);
	kinds[DRIVE].have = has(DRIVE, "probability");
}

const char *inject_setup(void)
{
	if (!has(SLAB, "probability"))
		return "this kernel has no fault injection";
	if (!has(SLAB, "require-start"))
		return "this kernel has no CONFIG_FAULT_INJECTION_STACKTRACE_FILTER";
	for (enum fault kind = SLAB; kind <= COPY; kind++)
		kinds[kind].have = has(kind, "probability");
	setup_drive();

	for (enum fault kind = SLAB; kind < KINDS; kind++) {
		if (!kinds[kind].have)
			continue;
		set(kind, "probability", 0);
		set(kind, "verbose", 0);
		set(kind, "space", 0);
		set_text(kind, "task-filter", "N");
		/* kmemleak's own objects are no points of anybody */
		if (kind <= PAGES && kmemleak_text.from)
			filter(kind, "reject", kmemleak_text);
		if (kind != DRIVE && module_text.from)
			inject_within(kind, NULL);
	}
	set_text(SLAB, "ignore-gfp-wait", "N");
	set_text(PAGES, "ignore-gfp-wait", "N");
	set_text(PAGES, "ignore-gfp-highmem", "N");
	inject_min_order(0);
	if (kinds[DRIVE].have) {
		set(DRIVE, "status", 0x281);	/* unrecovered read error */
		set_text(DRIVE, "dont_retry", "Y");
	}
	/* the file is that of the task that opens it: each test is one of its own */
	if (nth_fd >= 0)
		close(nth_fd);
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	kinds[TASK].have = nth_fd >= 0;
	return NULL;
}

bool inject_have(enum fault kind)
{
	return kinds[kind].have;
}

const char *inject_name(enum fault kind)
{
	return kinds[kind].name;
}

void inject_min_order(unsigned int order)
{
	set(PAGES, "min-order", order);
}

static void arm(enum fault kind, unsigned int interval, uint32_t times, unsigned int percent)
{
	kinds[kind].armed = times;
	set(kind, "times", times == UINT32_MAX ? -1 : (int64_t)times);
	set(kind, "interval", interval);
	set(kind, "probability", percent);
}

static void arm_task(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	filter_task(true);
	if (pwrite(nth_fd, text, len, 0) != len)
		abort();
}

/* Reading and writing copies as well: what fails here is not the operation's. */
static unsigned int end_task(void)
{
	char text[16] = "";
	bool late = false;

	while (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		late = true;
	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	filter_task(false);
	return !late && atoi(text) == 0;
}

void inject_nth(enum fault kind, unsigned int n)
{
	if (kind == TASK) {
		arm_task(n);
		return;
	}
	arm(kind, n, 1, 100);
}

void inject_burst(enum fault kind, unsigned int space, uint32_t n)
{
	set(kind, "space", space);
	inject_first(kind, n);
}

void inject_first(enum fault kind, uint32_t n)
{
	arm(kind, 1, n, 100);
}

void inject_rate(enum fault kind, unsigned int percent)
{
	arm(kind, 1, INT32_MAX, percent);
}

unsigned int inject_end(enum fault kind)
{
	int64_t left;

	if (kind == TASK)
		return end_task();
	set(kind, "probability", 0);
	set(kind, "space", 0);
	left = get(kind, "times");
	return left < 0 ? 0 : kinds[kind].armed - left;
}
