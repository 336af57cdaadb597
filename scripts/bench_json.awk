# SPDX-License-Identifier: GPL-2.0
#
# Reads the lines of bench_results.awk, and prints them as JSON: a list of objects.  What
# has died has null for its figures.  Those of the machine "core" are for one node.

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
	unit = $1 == "counting" || $1 == "pauses" ? "instructions" : "nanoseconds"
	printf "\"%s\": %s, \"least\": %s, \"collections\": %s, \"memory\": %s, ", unit,
	       value($4), value($8), value($5), value($6)
	if ($9 != "-")
		printf "\"measured\": %s, \"calls\": %s, \"faults\": %s, ", $9, $10, $11
	printf "\"state\": \"%s\"}", $7
	separator = ",\n"
}

END {
	print "\n]"
}
