// SPDX-License-Identifier: GPL-2.0
#include "common.h"
#include "room.h"
#include "written.h"

const char *at(const char *name)
{
	static char path[4][512];
	static int i;

	i = (i + 1) % 4;
	return strcpy(path[i], file_path(name));
}

int set_limit(const char *name, uint64_t bytes)
{
	return limit(name, ITME_LIMIT_SET, &bytes, NULL);
}

struct statfs room(const char *name)
{
	struct statfs sf = {};

	if (statfs(at(name), &sf))
		sf.f_blocks = -1;
	return sf;
}

uint64_t fill(const char *name, uint64_t off, uint64_t len, int *err)
{
	static char buf[64 * 1024];
	int fd = open(at(name), O_CREAT | O_WRONLY, 0644);
	uint64_t done = 0;

	memset(buf, 0x5a, sizeof(buf));
	*err = fd < 0 ? errno : 0;
	while (fd >= 0 && done < len) {
		uint64_t n = len - done < sizeof(buf) ? len - done : sizeof(buf);
		ssize_t ret = pwrite(fd, buf, n, off + done);

		if (ret <= 0) {
			*err = ret ? errno : EIO;
			break;
		}
		done += ret;
	}
	close(fd);
	return done;
}

uint64_t blocks(const char *name)
{
	struct stat st = {};

	stat(at(name), &st);
	return st.st_blocks * 512;
}
