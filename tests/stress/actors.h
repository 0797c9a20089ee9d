/* SPDX-License-Identifier: GPL-2.0 */
/* What actors.c lists, by the file it is in. */
#ifndef ITME_STRESS_ACTORS_H
#define ITME_STRESS_ACTORS_H

#include "stress.h"

/* use.c */
bool fault_init(struct me *me);
void fault_step(struct me *me);
void cow_step(struct me *me);
bool read_init(struct me *me);
void read_step(struct me *me);
bool team_init(struct me *me);
void team_step(struct me *me);

/* place.c */
void advise_step(struct me *me);
void unpin_all(void);
void madvise_step(struct me *me);
void move_step(struct me *me);
bool migrate_init(struct me *me);
void migrate_step(struct me *me);
void drop_step(struct me *me);
void compact_step(struct me *me);

/* maps.c */
void vma_step(struct me *me);
void fork_step(struct me *me);
void mlock_step(struct me *me);

/* pins.c */
bool pin_init(struct me *me);
void direct_step(struct me *me);
void pipe_step(struct me *me);
bool vmread_init(struct me *me);
void vmread_step(struct me *me);
bool uring_init(struct me *me);
void uring_step(struct me *me);

/* machine.c */
void budget_step(struct me *me);
bool plug_init(struct me *me);
void plug_step(struct me *me);
void plug_restore(void);
bool cpu_init(struct me *me);
void cpu_step(struct me *me);
void cpu_restore(void);
bool hog_init(struct me *me);
void hog_step(struct me *me);
bool cgroup_init(struct me *me);
void cgroup_step(struct me *me);
void cgroup_restore(void);
bool balance_init(struct me *me);
void balance_step(struct me *me);
void balance_restore(void);
void poison_step(struct me *me);

/* names.c */
void names_step(struct me *me);
void umount_step(struct me *me);
void umount_restore(void);
void hostile_step(struct me *me);

/* cycle.c */
bool cycle_init(struct me *me);
void cycle_step(struct me *me);

#endif
