#include "common.h"
int dm_dummy;
