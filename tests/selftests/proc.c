// SPDX-License-Identifier: GPL-2.0
/* Children, privileges, and the files of proc and sysfs. */
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

pid_t spawn(int (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (!pid)
		_exit(fn(arg));
	return pid;
}

int reap(pid_t pid, double secs)
{
	int status;

	if (POLL(waitpid(pid, &status, WNOHANG) == pid, secs))
		return status;
	kill(pid, SIGKILL);
	if (!POLL(waitpid(pid, &status, WNOHANG) == pid, 10))
		fprintf(stderr, "# process %d cannot be killed\n", pid);
	return -ETIMEDOUT;
}

int in_child(int (*fn)(void *arg), void *arg, double secs)
{
	pid_t pid = spawn(fn, arg);
	int status;

	if (pid < 0)
		return -1;
	status = reap(pid, secs);
	return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int drop_sys_admin(void)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	unsigned int bit = CAP_SYS_ADMIN;

	if (syscall(SYS_capget, &hdr, data))
		return -errno;
	data[bit / 32].effective &= ~(1U << (bit % 32));
	data[bit / 32].permitted &= ~(1U << (bit % 32));
	return syscall(SYS_capset, &hdr, data) ? -errno : 0;
}

int bind_to_node(int node)
{
	unsigned long mask = 1UL << node;

	return syscall(SYS_set_mempolicy, MPOL_BIND, &mask,
		       sizeof(mask) * 8) ? -errno : 0;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int read_file(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = 0;
	close(fd);
	return n;
}

int64_t kb_value(const char *path, const char *key)
{
	int64_t val = -1;
	char line[256];
	FILE *f = fopen(path, "r");
	char *p;

	if (!f)
		return -1;
	/* the file of a node begins each line with "Node N " */
	while (val < 0 && fgets(line, sizeof(line), f)) {
		p = strstr(line, key);
		if (p && (p == line || p[-1] == ' ') && p[strlen(key)] == ':')
			val = strtoll(p + strlen(key) + 1, NULL, 10) * 1024;
	}
	fclose(f);
	return val;
}

int64_t smaps_value(const void *addr, const char *key)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;
	int64_t val = -1;
	char line[512];

	if (!f)
		return -1;
	while (val < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)addr >= start &&
				 (uintptr_t)addr < end;
		else if (inside && !strncmp(line, key, strlen(key)) &&
			 line[strlen(key)] == ':')
			val = strtoll(line + strlen(key) + 1, NULL, 10) * 1024;
	}
	fclose(f);
	return val;
}

int run_cmd(const char *fmt, ...)
{
	char cmd[1024], quiet[1100];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(quiet, sizeof(quiet), "{ %s ; } >/dev/null 2>&1", cmd);
	fflush(stdout);
	fflush(stderr);
	ret = system(quiet);
	return WIFEXITED(ret) ? WEXITSTATUS(ret) : -1;
}
