# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The user's targets. Kernel modules are built by kbuild (Kbuild, kernel/Kbuild) through qemu/modules, QEMU by
# qemu/build; everything else here. Nothing is written outside $(B) and the cache (HSL_CACHE, see qemu/lib/common.sh).

define HELP
make              the library and the tools, in build/
make demo         everything from a clean clone: dependencies, QEMU, modules, a VM with 4 emulated chips,
                  the conformance suite and the benchmark on them
make vm           a shell in that VM            make vm RUN='hslbench bw'    one command in it
                  (make's own status for any failure is 2; qemu/vm RUN='...' returns the command's)
                  options: CHIPS= VENDOR= MEM= TOPO= CPUS= IOMMU=1 ACCEL= KERNEL= TIME=modelled ... (qemu/vm --help)
make check        every test that CI runs; the last line is 'N passed, N failed'
make check-fast   host only, under two minutes  make check-deep   the long ones
                  TESTS='name ...' selects
make check-debug  guest tests on a kernel with KASAN, lockdep, kmemleak, fault injection, built when first asked for
make check-kernels                              guest tests on 6.1, 6.12 and 7.x, with a table (KERNELS= others: kcsan finds data races)
make bench-peers  hsl next to memcpy, pipe, eventfd, libfabric, UCX, Soft-RoCE, CXL memory and ivshmem in one VM: build/peers/peers.md
                  and .svg, .json; DOCS=1 puts them into docs/
make examples     the programs of libhsl/examples; make examples-check runs them on sim:mesh4
make mutants      would the suite notice? 198 chips that are wrong in one way each, and mutants of
                  driver and library: build/kill-matrix.html
make soak         MINUTES=60 (up to 1400) of everything at once in a VM: traffic, random calls, errors of links, resets, unplugs, kills;
                  a summary, and any report of the kernel fails (KERNEL=debug)
make fuzz         MINUTES=30 for all fuzzers of the host together, with a summary (tests/fuzz/run.sh)
make coverage     which lines the host tests execute, by directory: build/coverage/index.html; TESTS='name ...' selects
make coverage-kernel                            the same of kernel/ in the VM: build/coverage/kernel/index.html
make modules      hsl.ko, hsl_pci.ko (KERNEL= or KDIR=)
make docs         the profile and the guides as HTML and PDF, in build/docs
make lib tools tests qemu                       the other parts
make install      DESTDIR= PREFIX=/usr/local LIBDIR= : library, headers, pkg-config, tools, man pages, DKMS tree
make deb          Debian packages in build/deb: hsl-dkms, libhsl1, libhsl-dev, hsl-tools
make uninstall, make clean
Variables: CC, CFLAGS, B=build, WERROR=0, HSL_CACHE=, QEMU=, QEMU_SRC=
endef

B ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
SRCDIR ?= /usr/src
CFLAGS ?= -O2 -g
WERROR ?= 1
AR ?= ar

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

version_of = $(shell sed -n 's/^.define HSL_VERSION_$(1)[^0-9]*\([0-9]*\).*/\1/p' include/hsl/hsl.h)
VERSION := $(call version_of,MAJOR).$(call version_of,MINOR).$(call version_of,PATCH)
SONAME := libhsl.so.$(call version_of,MAJOR)

INCLUDES := -Iinclude -Iinclude/uapi -Iqemu -I. -Itests -Itools/common
# messages may be cut to their buffer
WARN := -Wall -Wextra -Wno-format-truncation $(if $(filter-out 0,$(WERROR)),-Werror)
# empty, so that a file's own "#define _GNU_SOURCE" says the same
BASE := -std=gnu11 -D_GNU_SOURCE= $(INCLUDES) $(WARN) -fPIC -fno-plt -pthread -fno-strict-aliasing -MMD -MP
SAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# expanded only when used: the packages may be installed by this very run
TOOL_LIBS = $(shell pkg-config --libs libpci json-c 2>/dev/null || echo -lpci -ljson-c) -lnuma -lm
TOOL_CFLAGS = $(shell pkg-config --cflags libpci json-c 2>/dev/null)

export HSL_BUILD := $(abspath $(B))
# a command may hold any character: pass it on unexpanded
ifdef RUN
override export RUN := $(value RUN)
endif

# ---- what there is ----

LIB_SRC := $(wildcard libhsl/*.c qemu/model/*.c qemu/engine/*.c)
COMMON_SRC := $(wildcard tools/common/*.c)
TESTCOMMON_SRC := $(wildcard tests/common/*.c tests/oracle/*.c) tests/model/explore.c tests/model/world.c
TOOLS := $(foreach t,hslctl hsltest hslbench,$(if $(wildcard tools/$(t)/*.c),$(t)))
UNIT := $(patsubst %.c,%,$(wildcard tests/unit/test_*.c))
# explorers of the model and generators of captures: built for speed, and with sanitizers
EXPLORERS := $(patsubst %.c,%,$(wildcard tests/model/explore_*.c tests/model/gen_*.c \
	tests/model/litmus_*.c tests/model/random_*.c))
MODELBENCH := $(patsubst %.c,%,$(wildcard tests/model/bench_*.c))
EXAMPLES := $(patsubst libhsl/examples/%.c,%,$(wildcard libhsl/examples/*.c))
VMTESTS := $(patsubst %.c,%,$(wildcard tests/abi/*.c tests/guest/*.c))
PLUGINS := $(patsubst %.c,%,$(wildcard tests/plugin/*.c))
QTESTS := $(patsubst %.c,%,$(wildcard tests/qtest/*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
san = $(patsubst %.c,$(B)/asan/obj/%.o,$(1))

LIB := $(if $(LIB_SRC),$(B)/libhsl.so $(B)/libhsl.a)

.PHONY: all help lib tools examples examples-check tests guest-tests host-tests modules docs qemu vm demo check check-fast check-deep check-debug check-kernels soak install uninstall clean \
	check-deps FORCE
all: lib tools
help:
	$(info $(HELP))
	@:

lib: $(LIB)
tools: $(TOOLS:%=$(B)/%)
examples: $(EXAMPLES:%=$(B)/examples/%)
examples-check: examples
	@tests/guest/examples.sh sim:mesh4 $(B)/examples
tests: host-tests guest-tests $(QTESTS:%=$(B)/%)
guest-tests: examples $(VMTESTS:%=$(B)/%)
host-tests: $(UNIT:%=$(B)/asan/%) $(addprefix $(B)/,$(EXPLORERS) $(MODELBENCH)) $(EXPLORERS:%=$(B)/asan/%) $(PLUGINS:%=$(B)/%.so)

$(B)/.deps-%: qemu/lib/common.sh
	@mkdir -p $(@D)
	@qemu/deps $*
	@touch $@

# ---- compiling ----

$(B)/obj/tools/% $(B)/asan/obj/tools/%: EXTRA_CFLAGS = $(TOOL_CFLAGS)

# a change of flags rebuilds
$(B)/.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(BASE) $(CFLAGS) $(SAN)' | cmp -s - $@ || echo '$(CC) $(BASE) $(CFLAGS) $(SAN)' >$@

$(B)/obj/%.o: %.c $(B)/.flags | $(B)/.deps-host
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CC) $(CPPFLAGS) $(BASE) $(EXTRA_CFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/asan/obj/%.o: %.c $(B)/.flags | $(B)/.deps-host $(B)/.deps-unit
	@mkdir -p $(@D)
	@echo '  CC/SAN  $<'
	@$(CC) $(CPPFLAGS) $(BASE) $(EXTRA_CFLAGS) $(SAN) -DHSL_SANITIZED -c -o $@ $<

define archive
	@mkdir -p $(@D)
	@echo '  AR      $@'
	@rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
endef

$(B)/libhsl.a: $(call obj,$(LIB_SRC))
	$(archive)
$(B)/asan/libhsl.a: $(call san,$(LIB_SRC))
	$(archive)
$(B)/libcommon.a: $(call obj,$(COMMON_SRC) $(TESTCOMMON_SRC))
	$(archive)
$(B)/asan/libcommon.a: $(call san,$(COMMON_SRC) $(TESTCOMMON_SRC))
	$(archive)

$(B)/libhsl.so.$(VERSION): $(call obj,$(LIB_SRC)) $(wildcard libhsl/libhsl.map)
	@echo '  LD      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared -pthread -Wl,-Bsymbolic-functions -Wl,-soname,$(SONAME) -Wl,-z,defs -Wl,-z,now \
		$(if $(wildcard libhsl/libhsl.map),-Wl$(comma)--version-script=libhsl/libhsl.map) -o $@ $(filter %.o,$^) -lm
comma := ,
$(B)/libhsl.so: $(B)/libhsl.so.$(VERSION)
	@ln -sf $(<F) $(B)/$(SONAME)
	@ln -sf $(SONAME) $@

# Tools run from build/ through $$ORIGIN; the installed ones are linked again without it.
tool_link = $(CC) $(CFLAGS) $(LDFLAGS) -pthread $(2) -o $@ $(filter %.o,$^) $(B)/libcommon.a -L$(B) -lhsl \
	-Wl,--as-needed $(TOOL_LIBS)
define tool_rule
$(B)/$(1): $(call obj,$(wildcard tools/$(1)/*.c)) $(B)/libcommon.a $(B)/libhsl.so
	@echo '  LD      $$@'
	@$$(call tool_link,$(1),-Wl$$(comma)-rpath$$(comma)'$$$$ORIGIN')
$(B)/install/$(1): $(call obj,$(wildcard tools/$(1)/*.c)) $(B)/libcommon.a $(B)/libhsl.so
	@mkdir -p $$(@D)
	@$$(call tool_link,$(1),)
endef
$(foreach t,$(TOOLS),$(eval $(call tool_rule,$(t))))

# which suite and which text of the profile a report is of
$(B)/gen/suite_build.h: docs/hep.md FORCE
	@mkdir -p $(@D)
	@{ echo "#define SUITE_COMMIT \"$$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)\""; \
	echo "#define SUITE_PROFILE_SHA256 \"$$(sha256sum <$< | cut -d' ' -f1)\""; } >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/obj/tools/hsltest/document.o: $(B)/gen/suite_build.h
$(B)/obj/tools/hsltest/document.o: EXTRA_CFLAGS = $(TOOL_CFLAGS) -I$(B)/gen

# hslctl writes captures and takes words of errors: parts of the model that the library does not export
$(B)/hslctl $(B)/install/hslctl: $(call obj,qemu/model/pcapng.c qemu/model/inject.c)
# hslbench knows profiles and their files, and has a modelled fabric of its own
$(B)/hslbench $(B)/install/hslbench: $(call obj,$(wildcard qemu/model/*.c))

# plugins of libhsl
$(PLUGINS:%=$(B)/%.so): $(B)/%.so: $(B)/obj/%.o $(B)/libhsl.so
	@mkdir -p $(@D)
	@echo '  LD      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -pthread -shared -o $@ $< -L$(B) -lhsl -Wl,-rpath,'$$ORIGIN/../..'

# Programs of one file. In the VM: against the shared library there. On the host: all in, with sanitizers.
$(VMTESTS:%=$(B)/%): $(B)/%: $(B)/obj/%.o $(B)/libcommon.a $(B)/libhsl.so
	@mkdir -p $(@D)
	@echo '  LD      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $< $(B)/libcommon.a -L$(B) -lhsl \
		-Wl,-rpath,'$$ORIGIN/../..' -Wl,--as-needed $(TOOL_LIBS)
# as a user would build them
$(EXAMPLES:%=$(B)/examples/%): $(B)/examples/%: $(B)/obj/libhsl/examples/%.o $(B)/libhsl.so
	@mkdir -p $(@D)
	@echo '  LD      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $< -L$(B) -lhsl -Wl,-rpath,'$$ORIGIN/..'
$(QTESTS:%=$(B)/%): $(B)/%: $(B)/obj/%.o $(B)/libcommon.a $(B)/libhsl.a
	@mkdir -p $(@D)
	@echo '  LD      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $< $(B)/libcommon.a $(B)/libhsl.a -lcmocka -Wl,--as-needed $(TOOL_LIBS)
$(addprefix $(B)/,$(EXPLORERS) $(MODELBENCH)): $(B)/%: $(B)/obj/%.o $(B)/libcommon.a $(B)/libhsl.a
	@mkdir -p $(@D)
	@echo '  LD      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $< $(B)/libcommon.a $(B)/libhsl.a -lm
$(addprefix $(B)/asan/,$(UNIT) $(EXPLORERS)): $(B)/asan/%: $(B)/asan/obj/%.o $(B)/asan/libcommon.a $(B)/asan/libhsl.a
	@mkdir -p $(@D)
	@echo '  LD/SAN  $@'
	@$(CC) $(SAN) -pthread -o $@ $< $(B)/asan/libcommon.a $(B)/asan/libhsl.a $(B)/asan/libcommon.a -lcmocka \
		-Wl,--as-needed $(TOOL_LIBS)

# fuzzers of the host (tests/fuzz/run.sh), each with what it is about and nothing else
FUZZ := $(SAN) -fsanitize=fuzzer-no-link -Wno-unknown-warning-option
fuzz_flit := $(patsubst %,qemu/model/%.c,link link_look pkt flit crc64)
fuzz_socket := $(wildcard qemu/model/*.c) qemu/engine/flit_socket.c
fuzz_command := $(wildcard qemu/model/*.c qemu/engine/*.c)
fuzz_parse := $(filter-out libhsl/backend_sim.c,$(LIB_SRC)) $(COMMON_SRC) $(wildcard tests/oracle/*.c) \
	$(filter-out %/main.c,$(wildcard tools/hsltest/*.c tools/hslbench/*.c))
$(B)/fuzz/obj/tools/% $(B)/fuzz/obj/tests/fuzz/fuzz_parse.o: EXTRA_CFLAGS = $(TOOL_CFLAGS) -I$(B)/gen
$(B)/fuzz/obj/tools/hsltest/document.o: $(B)/gen/suite_build.h
$(B)/fuzz/obj/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	@echo '  CC/FUZZ $<'
	@clang $(BASE) $(EXTRA_CFLAGS) $(FUZZ) -c -o $@ $<
define fuzz_rule
$(B)/fuzz/fuzz_$(1): $(patsubst %.c,$(B)/fuzz/obj/%.o,tests/fuzz/fuzz_$(1).c $(fuzz_$(1)))
	@echo '  LD/FUZZ $$@'
	@clang $(SAN) -fsanitize=fuzzer -pthread -o $$@ $$^ -lcmocka -Wl,--as-needed $(TOOL_LIBS)
endef
$(foreach f,flit socket command parse,$(eval $(call fuzz_rule,$(f))))

-include $(shell find $(B)/obj $(B)/asan/obj $(B)/fuzz/obj -name '*.d' 2>/dev/null)

# objects are kept, also the ones only chained through
.SECONDARY:

# ---- kernel, QEMU, VM ----

modules:
	@qemu/modules >/dev/null
qemu:
	@qemu/build

# unless somebody has said how many
ALL_CORES = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

# QEMU first: it takes longest, and its packages bring the compiler
vm: qemu-for-vm modules lib tools tests
	@exec setpriv --pdeathsig TERM qemu/vm
.PHONY: qemu-for-vm
qemu-for-vm:
	@qemu/build >/dev/null

demo:
	@qemu/deps host unit qemu vm kernel
	@$(MAKE) --no-print-directory qemu-for-vm
	@$(MAKE) --no-print-directory $(ALL_CORES) modules lib tools tests
	@host=$$($(B)/hslbench baseline --size 4K,64K,1M); exec setpriv --pdeathsig TERM qemu/vm CHIPS=4 -- \
		env HSL_HOST_MEMCPY_BASELINE="$$host" /hsl/tests/guest/demo.sh

# the verdicts of make check-deep TESTS=kill-matrix-vm, if it ran before, are in it
.PHONY: mutants
mutants: lib tools $(B)/.deps-unit
	@tests/mutants/matrix

# what a user would take instead, in one run: nothing is judged
bench-peers: qemu-for-vm modules lib tools guest-tests
	@tests/peers/run $(if $(DOCS),--docs)
.PHONY: bench-peers

check-fast: lib tools host-tests examples $(B)/tests/guest/churn
	@qemu/deps lint
	@tests/run fast $(TESTS)
check:
	@qemu/deps host unit lint capture qemu vm kernel
	@$(MAKE) --no-print-directory qemu-for-vm
	@$(MAKE) --no-print-directory $(ALL_CORES) modules lib tools tests
	@tests/run check $(TESTS)
check-deep: qemu-for-vm modules lib tools tests
	@tests/run deep $(TESTS)

coverage:
	@tests/coverage/run $(TESTS)
coverage-kernel: qemu-for-vm lib tools guest-tests
	@tests/coverage/kernel $(TESTS)
.PHONY: coverage coverage-kernel

soak: MINUTES ?= 60
soak: soak-minutes qemu-for-vm modules lib tools guest-tests
	@rm -f $(B)/test-logs/soak.log
	@MINUTES=$(MINUTES) tests/run soak $(or $(TESTS),soak); rc=$$?; \
		[ ! -e $(B)/test-logs/soak.log ] || sed -n '/^# soak: [0-9]* s/,/reports/p' $(B)/test-logs/soak.log; exit $$rc

# a VM lives for a day at most
soak-minutes:
	@expr "$(MINUTES)" : '[1-9][0-9]*$$' >/dev/null && [ "$(MINUTES)" -le 1400 ] 2>/dev/null || { echo "make soak: MINUTES=$(MINUTES): 1 to 1400" >&2; exit 2; }
.PHONY: soak-minutes

fuzz: MINUTES ?= 30
fuzz: $(B)/.deps-host $(B)/.deps-unit
	@tests/fuzz/run.sh all $$(($(MINUTES) * 60))
.PHONY: fuzz

KERNELS ?= 6.1 6.12 7.x
check-debug: KERNELS = debug
check-debug check-kernels: qemu-for-vm lib tools guest-tests
	@TESTS='$(TESTS)' tests/kernels.sh $(KERNELS)

docs: $(B)/.deps-docs
	@docs/render.sh $(B)/docs

# ---- installing ----

MAN1 := $(wildcard tools/man/*.1)
MAN3 := $(wildcard libhsl/man/*.3)
MAN7 := $(wildcard libhsl/man/*.7)
HEADERS := $(wildcard include/hsl/*.h include/hsl/*.hpp)
DOCDIR ?= $(PREFIX)/share/doc/hsl
# what programs, man pages and these themselves name as docs/…
DOCUMENTS := $(wildcard docs/*.md docs/*.svg docs/abi/* docs/fabrics/*.conf docs/zh_CN/*.md)
DKMS := $(SRCDIR)/hsl-$(VERSION)

install: lib tools $(TOOLS:%=$(B)/install/%)
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/hsl \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7
	install -m 755 $(B)/libhsl.so.$(VERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf libhsl.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libhsl.so
	install -m 644 $(B)/libhsl.a $(DESTDIR)$(LIBDIR)/
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include/hsl/
	install -m 644 include/uapi/linux/hsl.h $(DESTDIR)$(PREFIX)/include/hsl/uapi.h
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' libhsl/libhsl.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/libhsl.pc
	$(foreach t,$(TOOLS),install -m 755 $(B)/install/$(t) $(DESTDIR)$(PREFIX)/bin/ &&) :
	install -d $(DESTDIR)$(DOCDIR)/examples
	$(foreach d,$(DOCUMENTS),install -D -m 644 $(d) $(DESTDIR)$(DOCDIR)/$(d:docs/%=%) &&) :
	install -m 644 tools/hslbench/hslbench-1.schema.json $(DESTDIR)$(DOCDIR)/
	install -m 644 $(EXAMPLES:%=libhsl/examples/%.c) $(DESTDIR)$(DOCDIR)/examples/
	$(if $(MAN1),install -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1/)
	$(if $(MAN3),install -m 644 $(MAN3) $(DESTDIR)$(MANDIR)/man3/)
	$(if $(MAN7),install -m 644 $(MAN7) $(DESTDIR)$(MANDIR)/man7/)
	install -d $(DESTDIR)$(DKMS)
	for f in Kbuild $$(find kernel include -path kernel/examples -prune -o -type f \( -name '*.[ch]' -o -name Kbuild \) -print); do \
		install -D -m 644 "$$f" "$(DESTDIR)$(DKMS)/$$f" || exit 1; done
	sed -e 's|@VERSION@|$(VERSION)|' dkms.conf >$(DESTDIR)$(DKMS)/dkms.conf
	$(if $(DESTDIR),,-ldconfig 2>/dev/null)

deb:
	@tools/debian/build $(B)/deb
.PHONY: deb

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/libhsl.* $(DESTDIR)$(LIBDIR)/pkgconfig/libhsl.pc
	rm -f $(TOOLS:%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -f $(MAN1:tools/man/%=$(DESTDIR)$(MANDIR)/man1/%) $(MAN3:libhsl/man/%=$(DESTDIR)$(MANDIR)/man3/%) \
		$(MAN7:libhsl/man/%=$(DESTDIR)$(MANDIR)/man7/%)
	rm -rf $(DESTDIR)$(PREFIX)/include/hsl $(DESTDIR)$(DKMS) $(DESTDIR)$(DOCDIR)/examples
	rm -f $(DOCUMENTS:docs/%=$(DESTDIR)$(DOCDIR)/%) $(DESTDIR)$(DOCDIR)/hslbench-1.schema.json
	rmdir $(foreach d,abi fabrics zh_CN .,$(DESTDIR)$(DOCDIR)/$(d)) 2>/dev/null || :

clean:
	rm -rf $(B)
