# SPDX-License-Identifier: MIT OR Apache-2.0
#
# tcg-commit.awk: softmmu/physmem.c of QEMU 7.2 to 8.1 with a race taken out. What an earlier run put in is replaced.
#
# The TLB of a TCG vCPU names a device's registers by the number of a section, which is looked up in the vCPU's dispatch
# table. When the memory map changes (a BAR is programmed, a chip is unplugged or made absent), tcg_commit gives each vCPU
# the new table at once, but a vCPU that runs drops its TLB only at the end of its block of code: until then an access by
# an old number reaches whatever has that number in the new table. A doorbell, or an interrupt to another CPU, is lost that
# way and the guest hangs. So a vCPU that runs gets the new table when it drops its TLB. Until then it holds a
# reference to the map it has: RCU alone protects it only inside cpu_exec. QEMU 8.2 has no such race.
/^\/\* hsl: from here \*\/$/ { skip = 1 }
skip {
	if (/^\/\* hsl: to here \*\/$/)
		skip = 0
	next
}
/^static void tcg_commit\(MemoryListener \*listener\)$/ {
	print "/* hsl: from here */"
	print "static void hsl_tcg_take_map(CPUState *cpu, run_on_cpu_data data)"
	print "{"
	print "    CPUAddressSpace *cpuas = data.host_ptr;"
	print "    FlatView *old = cpuas->hsl_view;"
	print ""
	print "    cpuas->hsl_view = address_space_get_flatview(cpuas->as);"
	print "    qatomic_rcu_set(&cpuas->memory_dispatch, flatview_to_dispatch(cpuas->hsl_view));"
	print "    tlb_flush(cpu);"
	print "    if (old) {"
	print "        flatview_unref(old);"
	print "    }"
	print "}"
	print ""
	print "static void tcg_commit(MemoryListener *listener)"
	print "{"
	print "    CPUAddressSpace *cpuas = container_of(listener, CPUAddressSpace, tcg_as_listener);"
	print ""
	print "    cpu_reloading_memory_map();"
	print "    if (cpuas->cpu->created && !qemu_cpu_is_self(cpuas->cpu)) {"
	print "        async_run_on_cpu(cpuas->cpu, hsl_tcg_take_map, RUN_ON_CPU_HOST_PTR(cpuas));"
	print "    } else {"
	print "        hsl_tcg_take_map(cpuas->cpu, RUN_ON_CPU_HOST_PTR(cpuas));"
	print "    }"
	print "}"
	print "#if 0"
	print "/* hsl: to here */"
	theirs = 1
}
{ print }
theirs && /^}$/ {
	print "/* hsl: from here */"
	print "#endif"
	print "/* hsl: to here */"
	theirs = 0
	n++
}
/^    struct AddressSpaceDispatch \*memory_dispatch;$/ {
	print "/* hsl: from here */"
	print "    FlatView *hsl_view;         /* whose dispatch that is; a reference */"
	print "/* hsl: to here */"
	n++
}
END { exit n != 2 }
