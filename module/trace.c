// SPDX-License-Identifier: GPL-2.0
/* The events that may be watched, and how they are told.  See trace.h. */
#include <linux/fs.h>
#include <linux/sched.h>

#include "heap.h"
#include "roots.h"
#include "size_class.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
