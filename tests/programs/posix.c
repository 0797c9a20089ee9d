// SPDX-License-Identifier: GPL-2.0
/*
 * posix DIRECTORY: a line for each check: "ok NAME", "not ok NAME: why", and "value NAME ..." for
 * what a file system may do as it likes.
 */
#include "posix.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static const char *running;

void failed(int line, const char *fmt, ...)
{
	va_list ap;

	printf("not ok %s: line %d: ", running, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

void tell(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("value %s %s ", running, what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

int make(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | flags, 0644);

	if (fd < 0)
		failed(__LINE__, "cannot make %s (errno %d)", path, errno);
	return fd;
}

void touch(const char *path)
{
	close(make(path, 0));
}

void put(const char *path, const char *text)
{
	int fd = make(path, O_TRUNC);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		failed(__LINE__, "cannot write %s (errno %d)", path, errno);
	close(fd);
}

bool holds(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf));

	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n);
}

struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		failed(__LINE__, "stat of %s (errno %d)", path, errno);
	return st;
}

bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

int in_child(void (*run)(void))
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		run();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		failed(__LINE__, "no child (errno %d)", errno);
	return status;
}

static void (*run_as_nobody)(void);

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		failed(__LINE__, "cannot become nobody");
	run_as_nobody();
}

void as_nobody(void (*run)(void))
{
	run_as_nobody = run;
	if (in_child(become_nobody))
		_exit(1);	/* it has said why */
}

void tick(void)
{
	struct timespec some = { .tv_nsec = 20000000 };

	nanosleep(&some, NULL);
}

bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static bool remove_tree(const char *path)
{
	char command[4200];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return !system(command);
}

/* In a child, so that a check that dies takes no other with it. */
static void run_check(const struct check *check, const char *dir)
{
	char path[4096];
	int status;
	pid_t pid;

	running = check->name;
	snprintf(path, sizeof(path), "%s/%s", dir, check->name);
	if (mkdir(path, 0755) || chmod(path, 0777)) {
		printf("not ok %s: no directory for it\n", check->name);
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		umask(022);
		alarm(120);
		if (chdir(path))
			_exit(2);
		check->run();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || WIFSIGNALED(status))
		printf("not ok %s: signal %d\n", check->name, pid < 0 ? 0 : WTERMSIG(status));
	else if (!WEXITSTATUS(status))
		printf("ok %s\n", check->name);
	else if (WEXITSTATUS(status) != 1)
		printf("not ok %s: exit status %d\n", check->name, WEXITSTATUS(status));
	if (!remove_tree(path))
		printf("not ok %s: its files cannot be removed\n", check->name);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct check *const all[] = { name_checks, data_checks, meta_checks };

	if (argc != 2 || geteuid()) {
		fprintf(stderr, "as root: posix DIRECTORY\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct check *check = all[i]; check->name; check++)
			run_check(check, argv[1]);
	return 0;
}
