# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced.  Packages of the machine's own distribution, and of
# other suites of its mirror.
#
# Tools are installed.  Kernels are only downloaded, with a package index of
# their own, so that the machine's configuration stays as it is: another
# suite's kernel never gets among the machine's packages.

. "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

# need PACKAGE...: installs those that are missing.  Never removes one.
need()
{
	local missing='' package
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null |
			grep -qx installed || missing="$missing $package"
	done
	[ "$missing" ] || return 0
	say "installing$missing"
	# shellcheck disable=SC2086 # a list
	install_packages $missing || {
		read_lists
		# shellcheck disable=SC2086
		install_packages $missing
	} || die "could not install$missing: see $cache/apt.log"
}

# alone COMMAND...: when no other run has to do with this machine's own packages;
# apt itself waits for others when it installs, but not when it reads lists.
alone()
(
	exec 8> "$cache/machine.lock"
	flock 8
	"$@" 8>&-
)

install_packages()
{
	alone install_now "$@"
}

install_now()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
		--no-install-recommends --no-remove install "$@" \
		< /dev/null > "$cache/apt.log" 2>&1
}

# distribution: debian, ubuntu, or what else the machine says that it is.
distribution()
(
	. /etc/os-release
	echo "$ID"
)

codename()
(
	. /etc/os-release
	echo "$VERSION_CODENAME"
)

# mirror SUITE: where the machine itself gets that suite from, whether it has read
# that suite's lists yet or not.
mirror()
{
	apt-get --print-uris update |
		sed -n "s|^'\(.*\)/dists/$1/InRelease'.*|\1|p" | head -n 1
}

# suites SUITE...: writes the index configuration for these suites.
#
# Security updates come from a mirror of their own; a suite without one, or a
# machine without one, does with the rest.
suites()
{
	local main security suite uri
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	main=$(mirror "$(codename)")
	security=$(mirror "$(codename)-security")
	[ "$main" ] || die "no Debian mirror in this machine's apt configuration"
	for suite; do
		uri=$main
		case $suite in *-security) uri=$security ;; esac
		[ -z "$uri" ] ||
			echo "deb [arch=amd64 signed-by=$keyring] $uri $suite main"
	done
}

# apt_of INDEX COMMAND...: apt with the private index of that name, or with the
# machine's own.
apt_of()
{
	local index=$cache/apt/$1 command=$2
	shift 2
	if [ "$index" = "$cache/apt/machine" ]; then
		"$command" -o APT::Sandbox::User=root "$@"
		return
	fi
	"$command" -o Dir::Etc::SourceList="$index/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$index/lists" \
		-o Dir::Cache="$index/cache" \
		-o APT::Sandbox::User=root "$@"
}

# refresh_index INDEX SUITE...: fetches the suites' package lists.
refresh_index()
{
	local name=$1
	shift
	say "reading the package lists of $*"
	local folder=$cache/apt/$name
	mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" &&
		suites "$@" > "$folder/sources.list" &&
		apt_of "$name" apt-get -qq -o APT::Update::Error-Mode=any update >&2 &&
		touch "$folder/fresh"
}

# fresh_index MINUTES INDEX SUITE...: the same if the lists are older than that.
# An unreachable mirror is no reason to stop while there are older lists.
fresh_index()
(
	minutes=$1
	shift
	mkdir -p "$cache/apt"
	exec 8> "$cache/apt/$1.lock"
	flock 8
	stamp=$cache/apt/$1/fresh
	[ -z "$(find "$stamp" -mmin "-$minutes" 2> /dev/null)" ] || exit 0
	refresh_index "$@" || [ -e "$stamp" ] ||
		die "could not read the package lists of $*"
)

# read_lists: the machine's own may be old or have never been read.
read_lists()
{
	say "reading this machine's package lists"
	alone as_root apt-get -qq update >&2
}

# newest INDEX PATTERN: the newest package whose name matches.
newest()
{
	apt_of "$1" apt-cache pkgnames | grep -E -x -- "$2" | sort -V | tail -n 1
}

# version_in INDEX PACKAGE: the version that the index offers.
version_in()
{
	apt_of "$1" apt-cache policy "$2" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# depends_in INDEX PACKAGE PATTERN: the direct dependencies that match.
depends_in()
{
	apt_of "$1" apt-cache depends --no-recommends --no-suggests "$2" |
		awk '{ print $NF }' | grep -E -x -- "$3"
}

# These two know the folder as $debs.
download()
(
	cd "$debs" && apt_of "$1" apt-get -qq download "${@:2}"
)

fetched()
{
	echo "fetched $(du -sm "$debs" | cut -f 1) of $size MiB"
}

# unpack_from INDEX FOLDER PACKAGE...: downloads and unpacks them.
unpack_from()
{
	local index=$1 folder=$2 debs deb size
	shift 2
	size=$(apt_of "$index" apt-get -qq --print-uris download "$@" |
		awk '{ bytes += $3 } END { printf "%d", bytes / 1048576 + 1 }')
	debs=$(mktemp -d "$cache/debs.XXXXXX")
	telling fetched download "$index" "$@"
	for deb in "$debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -C "$folder" -x --keep-directory-symlink --no-same-owner
	done
	rm -r "$debs"
}
