# SPDX-License-Identifier: GPL-2.0
#
# Reads the lines of bench_results.awk, and prints them as JSON: a list of objects.  What
# has died has null for its figures.

BEGIN {
	FS = "\t"
	print "["
}

function value(text)
{
	return text == "-" ? "null" : text
}

{
	printf "%s  {\"machine\": \"%s\", \"name\": \"%s\", \"allocator\": \"%s\", ", separator,
	       $1, $2, $3
	printf "\"%s\": %s, \"collections\": %s, \"memory\": %s, \"state\": \"%s\"}",
	       $1 == "counting" ? "instructions" : "nanoseconds", value($4), value($5),
	       value($6), $7
	separator = ",\n"
}

END {
	print "\n]"
}
