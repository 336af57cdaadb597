/* SPDX-License-Identifier: GPL-2.0 */
/* Nobody watches here. */
#include "kernel.h"

#define TP_PROTO(args...)	args
#define DECLARE_EVENT_CLASS(more...)
#define DEFINE_EVENT(like, name, proto, more...)	TRACE_EVENT(name, TP_PROTO(proto), like)
#define TRACE_EVENT(name, proto, more...)		\
	static inline void trace_##name(proto)		\
	{						\
	}
