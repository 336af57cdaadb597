-- SPDX-License-Identifier: GPL-2.0
--
-- LuaJIT: machine code that is made while the program runs, and a collector and
-- stacks of its own.  Collections of the heap in between change nothing of it.
local ffi = require("ffi")

ffi.cdef([[
struct gcheap;
struct gcheap_options { size_t size, limit; int percent; unsigned int flags; };
struct gcheap *gcheap_open(const struct gcheap_options *options);
void *gcheap_alloc(struct gcheap *heap, size_t size);
int gcheap_collect(struct gcheap *heap);
int gcheap_root_add(struct gcheap *heap, const void *start, size_t size);
void gcheap_close(struct gcheap *heap);
]])

local lib = ffi.load(arg[1])
local options = ffi.new("struct gcheap_options")
options.percent = -1
local heap = lib.gcheap_open(options)
assert(heap ~= nil)

-- LuaJIT's own memory is no root by itself.
local roots = ffi.new("uint64_t *[64]")
assert(lib.gcheap_root_add(heap, roots, ffi.sizeof(roots)) == 0)

local function sum(n)
	local s = 0
	for i = 1, n do
		s = s + i % 7 * 3
	end
	return s
end

local expected = sum(100000)
for round = 1, 100 do
	for i = 0, 63 do
		roots[i] = ffi.cast("uint64_t *", lib.gcheap_alloc(heap, 256))
		for j = 0, 31 do
			assert(roots[i][j] == 0)
			roots[i][j] = round * 10000 + i * 100 + j
		end
	end
	assert(lib.gcheap_collect(heap) == 0)
	assert(sum(100000) == expected)
	local strings = {}
	for i = 1, 1000 do
		strings[i] = "string " .. i
	end
	for i = 0, 63 do
		for j = 0, 31 do
			assert(roots[i][j] == round * 10000 + i * 100 + j)
		end
	end
	for i = 1, 1000 do
		assert(strings[i] == "string " .. i)
	end
end
lib.gcheap_close(heap)
