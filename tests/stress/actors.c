// SPDX-License-Identifier: GPL-2.0
/* The list of actors. */
#include "actors.h"

const struct actor actors[] = {
	{ "fault",	3, fault_init,	fault_step,	NULL, false },
	{ "cow",	2, fault_init,	cow_step,	NULL, false },
	{ "read",	3, read_init,	read_step,	NULL, false },
	{ "team",	1, team_init,	team_step,	NULL, false },
	{ "advise",	2, NULL,	advise_step,	unpin_all, false },
	{ "madvise",	1, NULL,	madvise_step,	NULL, false },
	{ "move",	2, NULL,	move_step,	NULL, false },
	{ "migrate",	1, migrate_init, migrate_step,	NULL, false },
	{ "drop",	1, NULL,	drop_step,	NULL, false },
	{ "compact",	1, NULL,	compact_step,	NULL, false },
	{ "vma",	1, NULL,	vma_step,	NULL, false },
	{ "fork",	1, NULL,	fork_step,	NULL, false },
	{ "mlock",	1, NULL,	mlock_step,	NULL, false },
	{ "direct",	1, pin_init,	direct_step,	NULL, false },
	{ "pipe",	1, pin_init,	pipe_step,	NULL, false },
	{ "vmread",	1, vmread_init,	vmread_step,	NULL, false },
	{ "uring",	1, uring_init,	uring_step,	NULL, false },
	{ "budget",	1, NULL,	budget_step,	NULL, false },
	{ "plug",	1, plug_init,	plug_step,	plug_restore, false },
	{ "cpu",	1, cpu_init,	cpu_step,	cpu_restore, false },
	{ "hog",	1, hog_init,	hog_step,	NULL, false },
	{ "cgroup",	1, cgroup_init,	cgroup_step,	cgroup_restore, false },
	{ "balance",	1, balance_init, balance_step,	balance_restore, false },
	{ "names",	2, NULL,	names_step,	NULL, false },
	{ "umount",	1, NULL,	umount_step,	umount_restore, false },
	{ "hostile",	1, NULL,	hostile_step,	NULL, false },
	{ "cycle",	1, cycle_init,	cycle_step,	NULL, true },
	{ "poison",	1, NULL,	poison_step,	NULL, true },
};

const int nr_actors = ARRAY_LEN(actors);

const struct actor *actor_find(const char *name, size_t len)
{
	int i;

	for (i = 0; i < nr_actors; i++)
		if (strlen(actors[i].name) == len && !strncmp(actors[i].name, name, len))
			return &actors[i];
	return NULL;
}
