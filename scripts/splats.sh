#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# splats.sh CONSOLE: prints each complaint of the kernel's in a console log, with
# what follows it.  Exits with 1 if there are any.
set -eu

tr -d '\r' < "$1" | awk '
/WARNING: |BUG: |BUG at |KASAN|UBSAN|KCSAN/ ||
/possible (circular|recursive|irq lock)|inconsistent lock|lock held when/ ||
/suspicious RCU|detected stalls|self-detected stall|INFO: task .* blocked/ ||
/Oops|general protection fault|unable to handle|Kernel panic|bad page/ ||
/Bad page|Bad rss-counter|unreferenced object|kmemleak: [0-9]+ new/ ||
/page_table_check|ODEBUG|sleeping function called|soft lockup|hard LOCKUP/ ||
/gcheap: faults found|refcount_t|list_(add|del) corruption|still in use|Objects remaining/ {
	if (!/KUnit|kunit|of test_checks\[/) { left = 40; found++ }
}
left > 0 { print; left-- }
END { exit found > 0 }'
