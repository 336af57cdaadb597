# SPDX-License-Identifier: GPL-2.0
#
# Reads what run-tests printed, as boot.sh stamped it; prints 'pass', 'fail' or
# 'skip', the name of each case, the log, and the seconds it took, with tabs between.
# A program that did not end, ran fewer cases than it announced, or failed without
# naming a case is a failed case itself.

function result(verdict, name)
{
	printf "%s\t%s %s%s\t%s\t%.1f\n", verdict, lane, step,
	       name == "" ? "" : ": " name, logs, now - since
	since = now
}

function finish(why)
{
	if (step == "")
		return
	if (why != "")
		result("fail", why)
	else if (planned == 0 && status != 4)
		result("fail", "announced no cases (status " status ")")
	else if (seen < planned)
		result("fail", "ended after " seen " of " planned \
		       " cases (status " status ")")
	else if (status >= 128)
		result("fail", "killed (status " status ")")
	else if (status != 0 && status != 4 && !failed)
		result("fail", "status " status ", though no case failed")
	step = ""
}

{ now = $1; sub(/^[0-9.]+\t/, ""); sub(/\r$/, "") }

/^# begin / {
	step = $3
	since = now
	# KUnit's suites are lines without an indent, its cases have four spaces.
	indent = step == "kunit" ? "    " : ""
	planned = seen = failed = 0
	status = "unknown"
	next
}

/^# end / { status = $3; finish(); next }

step == "" { next }

$0 ~ "^" indent "1\\.\\.[0-9]+" { sub(/.*1\.\./, ""); planned += $0; next }

$0 ~ "^" indent "(not )?ok [0-9]+" {
	verdict = /^ *not ok/ ? "fail" : /# *SKIP/ ? "skip" : "pass"
	failed += verdict == "fail"
	seen++
	sub(/^ *(not )?ok [0-9]+ *(- )?/, "")
	result(verdict, $0)
}

END { finish(died) }
