/* SPDX-License-Identifier: GPL-2.0 */
/* Nobody watches here. */
#include "kernel.h"

#define TP_PROTO(args...)	args
#define TRACE_EVENT(name, proto, more...)		\
	static inline void trace_##name(proto)		\
	{						\
	}
