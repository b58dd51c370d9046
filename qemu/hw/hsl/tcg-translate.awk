# SPDX-License-Identifier: MIT OR Apache-2.0
#
# tcg-translate.awk: a file of accel/tcg of QEMU 7.2 to 8.0 with its part of a race taken out. PART=translator, translate-all or
# cputlb; CODE=, the path of tcg-PART.c.inc. What an earlier run put in is replaced.
#
# A vCPU that translates a block of guest code reads it, and once the block is linked to its page a write of another vCPU drops it.
# That vCPU first drops what is there and then writes. So a block that is read before the write and linked after the dropping
# stays as it was, until it is written once more. Linux patches its code in three steps, of which two put an int3 there and take
# it away (static keys, kprobes, ftrace), and a vCPU that runs into the int3 translates it at once: the guest dies of
# "Oops: int3" at a place where there is none, a 7.x kernel within some hundred changes of a static key of the scheduler.
#
# So a store drops what is there afterwards too, and what the translator has read is kept and compared after the block is linked:
# if memory is another by then, the block is dropped, and executed this once, as if the write had come later. Stores that do not
# come through the slow path (the page had no code, and gets its first one between their look at the TLB and the write) and atomic
# ones are as before. QEMU 8.1 locks the page from before the block is read until it is linked.
/^\/\* hsl: from here \*\/$/ { skip = 1 }
skip {
	if (/^\/\* hsl: to here \*\/$/)
		skip = 0
	next
}
function ours(text) {
	print "/* hsl: from here */"
	print text
	print "/* hsl: to here */"
	n++
}
function code(    line, text) {
	while ((getline line <CODE) > 0)
		text = text (text == "" ? "" : "\n") line
	return text == "" ? "#error " CODE " cannot be read" : text
}

PART == "translator" && /^void translator_loop\(/ { ours(code()) }
PART == "translator" && /^        \/\* Use slow path when crossing pages\. \*\/$/ {
	ours("        if (is_same_page(db, pc)) {\n            return hsl_code_read(db, pc, len);\n        }")
}
PART == "translator" && /^    return host \+ \(pc - base\);$/ { ours("    return hsl_code_read(db, pc, len);") }

PART == "translate-all" && /^TranslationBlock \*tb_gen_code\(/ {
	ours("bool hsl_code_changed(size_t size);\n")
	linking = 1
}

PART == "cputlb" && /^store_helper\(/ { storing = 1 }
storing && /^            store_memop\(haddr, val, op\);$/ { stored = 1 }
storing && stored == 1 && /^        return;$/ {
	ours("        hsl_code_written(env, addr, size, full);")
	stored = 2
}

{ print }

PART == "translator" && /^    db->host_addr\[0\] = host_pc;$/ { ours("    hsl_code.len = 0;") }
linking && /^        return existing_tb;$/ { linked = 1 }
linking && linked && /^    }$/ {
	ours("    if (unlikely(hsl_code_changed(tb->size))) {\n        tb_phys_invalidate(tb, -1);\n    }")
	linking = 0
}
PART == "cputlb" && /^static void notdirty_write\(/ { declaring = 1 }
declaring && /^}$/ {
	ours(code())
	declaring = 0
}
stored == 2 && /^    store_memop\(haddr, val, op\);$/ {
	ours("    hsl_code_written(env, addr, size, &env_tlb(env)->d[mmu_idx].fulltlb[index]);")
	storing = stored = 0
}
END { exit n != (PART == "translator" ? 4 : PART == "cputlb" ? 3 : 2) }
