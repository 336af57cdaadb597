# SPDX-License-Identifier: MIT OR GPL-2.0
#
# Manual pages in mdoc, made from a header's comments: of gcheap.h one for the library, and one
# for each function and structure that a program uses, in section 3; of linux/gcheap.h one for
# the device, with all calls, in section 4.
#
#	awk -v section=3 -v date="January 1, 2030" -v out=DIRECTORY -f man.awk HEADER
#
# The first comment that is not the licence tells of all; what follows kernel-doc is kept.

# What roff takes for itself; @name is a parameter's.
function text(line)
{
	gsub(/\\/, "\\e", line)
	sub(/^[ \t]+/, "", line)
	gsub(/[ \t]+/, " ", line)
	while (match(line, /@[a-z_]+/))
		line = substr(line, 1, RSTART - 1) "\\fI" substr(line, RSTART + 1, RLENGTH - 1) \
			"\\fP" substr(line, RSTART + RLENGTH)
	# Each sentence begins a line.
	gsub(/[.] /, ".\n", line)
	while (match(line, /\n[.']/))
		line = substr(line, 1, RSTART) "\\&" substr(line, RSTART + 1)
	if (line ~ /^[.']/)
		line = "\\&" line
	return line
}

function see(line,    name)
{
	while (match(line, /gcheap_[a-z_]+\(\)/)) {
		name = substr(line, RSTART, RLENGTH - 2)
		seen[name] = 1
		line = substr(line, RSTART + RLENGTH)
	}
}

# What is in a declaration
function see_struct(code)
{
	while (match(code, /struct gcheap_[a-z_]+/)) {
		seen[substr(code, RSTART + 7, RLENGTH - 7)] = 1
		code = substr(code, RSTART + RLENGTH)
	}
}

function put(line)
{
	print line > page
}

# A list that is open, of a kind: "tag" or "bullet"
function list(kind)
{
	if (open_list == kind)
		return
	if (open_list)
		put(".El")
	open_list = kind
	if (kind == "tag" && between && !fresh)
		put(".Pp")
	if (kind == "tag")
		put(".Bl -tag -width Ds -compact")
	else if (kind == "bullet")
		put(".Bl -bullet")
	if (kind) {
		between = 0
		fresh = 0
	}
}

function item(line)
{
	list("tag")
	put(line)
	item_indent = 1
}

# A paragraph begins, unless something else does.
function begin_text()
{
	if (between && !fresh)
		put(".Pp")
	between = 0
	fresh = 0
}

function is_heading(i)
{
	return headings && lines[i] ~ /^[A-Za-z\/]/ && lines[i + 1] ~ /^\t/ && lines[i - 1] == ""
}

# Lines FROM to TO of a comment
function body(from, to,    i, line, key)
{
	open_list = ""
	between = 0
	fresh = 1
	for (i = from; i <= to; i++) {
		line = lines[i]
		see(line)
		if (line == "") {
			if (open_list == "bullet" && lines[i + 1] ~ /^- /)
				continue
			list("")
			between = 1
		} else if (is_heading(i)) {
			list("")
			between = 0
			put(".Ss " line)
			fresh = 1
		} else if (match(line, /^@[a-z_]+: /)) {
			item(".It Fa " substr(line, 2, RLENGTH - 3))
			put(text(substr(line, RLENGTH + 1)))
		} else if (match(line, /^\t[A-Za-z0-9-]+\t? +[^ ]/) && line ~ /^\t[A-Za-z0-9-]+(\t +| )/ &&
			   (line ~ /\t +[^ ]/ || line ~ /^\tgcheap-/)) {
			key = line
			sub(/^\t/, "", key)
			sub(/[ \t].*/, "", key)
			item((key ~ /^E[A-Z0-9]+$/ ? ".It Er " : ".It ") key)
			sub(/^\t[A-Za-z0-9-]+[ \t]+/, "", line)
			put(text(line))
		} else if (match(line, /^E[A-Z0-9]+(, E[A-Z0-9]+)*: /)) {
			key = substr(line, 1, RLENGTH - 2)
			gsub(/,/, " ,", key)
			item(".It Er " key)
			put(text(substr(line, RLENGTH + 1)))
		} else if (line ~ /^- /) {
			list("bullet")
			put(".It")
			put(text(substr(line, 3)))
		} else if (open_list == "tag" && line ~ /^\tGCHEAP_[A-Z_]+: /) {
			put(".br")
			put(text(line))
		} else {
			if ((open_list == "tag" && line !~ (headings ? "^\t\t" : "^\t")) ||
			    (open_list == "bullet" && line !~ /^  /)) {
				list("")
				between = 1
			}
			begin_text()
			put(text(line))
		}
	}
	list("")
}

function start(name, number, what)
{
	page = out "/" name "." number
	split("", seen)
	put(".\\\" Made from " source " by man.awk.")
	put(".Dd " date)
	put(".Dt " toupper(name) " " number)
	put(".Os")
	put(".Sh NAME")
	put(".Nm " name)
	put(".Nd " text(what))
}

function finish(self,    name, names, n, i, j, swap)
{
	n = 0
	names[0] = ""
	for (name in seen)
		if (name != self && name in known)
			names[++n] = name
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && names[j] < names[j - 1]; j--) {
			swap = names[j]
			names[j] = names[j - 1]
			names[j - 1] = swap
		}
	put(".Sh SEE ALSO")
	put(".Xr gcheap 1 ,")
	if (self != "")
		put(".Xr gcheap 3 ,")
	for (i = 1; i <= n; i++)
		put(".Xr " names[i] " 3 ,")
	if (self == "")
		put(".Xr gcheap 4 ,")
	put(".Xr gcheap 7")
	close(page)
}

# The function's declaration, in mdoc
function declaration(code,    args, n, i, type, head)
{
	gsub(/[ \t\n]+/, " ", code)
	sub(/^ /, "", code)
	sub(/;.*/, "", code)
	head = substr(code, 1, index(code, "(") - 1)
	args = substr(code, index(code, "(") + 1)
	sub(/\) *$/, "", args)
	type = head
	sub(/[a-z_0-9]+$/, "", type)
	sub(/ $/, "", type)
	put(".Sh SYNOPSIS")
	put(".In gcheap.h")
	put(".Ft \"" type "\"")
	put(".Fo " substr(head, length(head) - length(symbol) + 1))
	n = split_args(args)
	for (i = 1; i <= n; i++)
		put(".Fa \"" arg[i] "\"")
	put(".Fc")
}

# By the commas that are not within parentheses
function split_args(args,    i, c, depth, n)
{
	n = 1
	depth = 0
	split("", arg)
	for (i = 1; i <= length(args); i++) {
		c = substr(args, i, 1)
		if (c == "(")
			depth++
		if (c == ")")
			depth--
		if (c == "," && !depth) {
			n++
			i++
			continue
		}
		arg[n] = arg[n] c
	}
	return n
}

function function_page(    i, back)
{
	start(symbol, 3, what)
	declaration(code)
	see_struct(code)
	put(".Sh DESCRIPTION")
	for (back = 2; back <= nr && lines[back] !~ /^Return: /; back++)
		;
	i = back - 1
	while (i > 1 && lines[i] == "")
		i--
	body(2, i)
	if (back <= nr) {
		put(".Sh RETURN VALUES")
		sub(/^Return: /, "", lines[back])
		lines[back] = toupper(substr(lines[back], 1, 1)) substr(lines[back], 2)
		body(back, nr)
	}
	finish(symbol)
}

function code_block(code,    n, i, part)
{
	put(".Bd -literal")
	n = split(code, part, "\n")
	for (i = 1; i <= n; i++)
		if (part[i] != "") {
			gsub(/\\/, "\\e", part[i])
			gsub(/\t/, "    ", part[i])
			put(part[i] ~ /^[.']/ ? "\\&" part[i] : part[i])
		}
	put(".Ed")
}

function struct_page()
{
	start(symbol, 3, what)
	put(".Sh SYNOPSIS")
	put(".In gcheap.h")
	code_block(code)
	put(".Sh DESCRIPTION")
	body(2, nr)
	finish(symbol)
}

# One comment may be about several.
function constant(name,    i, all)
{
	if (nr_constants && last_constant == FNR - 1) {
		constants[nr_constants] = constants[nr_constants] " , " name
	} else {
		for (i = 1; i <= nr; i++)
			all = all (lines[i] == "" ? "\n.Pp\n" : (i > 1 && lines[i - 1] != "" ? " " : "") \
				lines[i])
		constants[++nr_constants] = name
		meaning[nr_constants] = all
	}
	last_constant = FNR
}

# A comment, and the code behind it, up to an empty line
function take()
{
	if (section == 4) {
		if (lines[1] ~ /^struct /)
			chapter()
		return
	}
	if (lines[1] ~ /^gcheap_[a-z_]+\(\) - /)
		function_page()
	else if (lines[1] ~ /^struct gcheap_[a-z_]+ - / && lines[1] !~ /_inline_/)
		struct_page()
}

# A structure, and the call that it is for
function chapter()
{
	put(".Sh " (number_of_call != "" ? number_of_call : "STRUCT " toupper(symbol)))
	what = toupper(substr(what, 1, 1)) substr(what, 2)
	put(text(what) ".")
	code_block(code)
	put(".Pp")
	headings = 0
	body(2, nr)
}

# "NAME() - what it is" or "struct NAME - CALL: what it is", over one line or two
function parse_title(    title)
{
	title = lines[1]
	if (nr > 1 && lines[2] ~ /^[ \t]/ && lines[2] !~ /^@/) {
		sub(/^[ \t]+/, " ", lines[2])
		title = title lines[2]
		lines[2] = ""
	}
	lines[1] = title
	symbol = title
	sub(/^struct /, "", symbol)
	sub(/[( ].*/, "", symbol)
	what = substr(title, index(title, " - ") + 3)
	number_of_call = ""
	if (match(what, /^GCHEAP_IOC_[A-Z_]+( and [A-Z_]+)*: /)) {
		number_of_call = substr(what, 1, RLENGTH - 2)
		what = substr(what, RLENGTH + 1)
	}
}

function whole(    i, name)
{
	source = FILENAME
	sub(/.*\//, "", source)
	if (section == 4)
		source = "linux/" source
	start("gcheap", section, section == 3 ? "garbage-collected heap, library" : \
	      "garbage-collected heap, device")
	put(".Sh SYNOPSIS")
	put(section == 3 ? ".In gcheap.h" : ".In linux/gcheap.h")
	put(".Sh DESCRIPTION")
	headings = section == 4
	body(3, nr)
	headings = 0
	main_page = page
}

# All that there are pages of: the file is read twice
NR == FNR && match($0, /^ \* (struct )?gcheap_[a-z_]+(\(\))? - /) && !/_inline_/ {
	name = substr($0, 4, RLENGTH - 6)
	sub(/struct /, "", name)
	sub(/\(\)/, "", name)
	known[name] = 1
	order[++pages] = name
	about[name] = substr($0, RLENGTH + 1)
	getline
	if (/^ \*\t/)
		about[name] = about[name] " " substr($0, 4)
}
NR == FNR { next }

# What a constant is for, in a comment before it
/^#define GCHEAP_[A-Z_]+[ \t]/ && nr && !doc && !in_code { constant($2); next }
/What follows is no program.s business/ { exit }
/^\/\* .* \*\/$/ { nr = 1; doc = 0; lines[1] = $0; gsub(/^\/\* | \*\/$/, "", lines[1]); next }
!in_comment && !in_code && !/^\/\*/ { nr = 0 }

/^\/\*\*?$/ { in_comment = 1; nr = 0; split("", lines); doc = /\*\*/; next }
in_comment && /^ \*\/$/ {
	in_comment = 0
	lines[nr + 1] = ""
	if (!told && !doc) {
		told = 1
		whole()
		nr = 0
	} else if (doc) {
		parse_title()
		code = ""
		in_code = 1
	}
	next
}
in_comment { sub(/^ \* ?/, ""); lines[++nr] = $0; next }
in_code && /^$/ { in_code = 0; page_before = page; take(); if (section == 3) page = main_page; next }
in_code { code = code $0 "\n" }

END {
	page = main_page
	if (section == 3) {
		put(".Ss Functions and structures")
		put(".Bl -tag -width Ds -compact")
		for (i = 1; i <= pages; i++) {
			put(".It Xr " order[i] " 3")
			put(text(about[order[i]]))
		}
		put(".El")
	}
	put(section == 3 ? ".Ss Constants" : ".Sh CONSTANTS")
	put(".Bl -tag -width Ds -compact")
	for (i = 1; i <= nr_constants; i++) {
		put(".It Dv " constants[i])
		nr_parts = split(meaning[i], part, "\n.Pp\n")
		for (j = 1; j <= nr_parts; j++) {
			if (j > 1)
				put(".Pp")
			put(text(part[j]))
		}
	}
	put(".El")
	split("", seen)
	finish(section == 3 ? "" : "gcheap")
}
