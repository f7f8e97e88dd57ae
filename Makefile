# The front door: each target only calls the script of lab/ that does the work. Plain make lists the targets.
MAKEFLAGS += --no-print-directory
BASE ?= v6.12
.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' Makefile)
export BASE BASES CPU STOCK MUTANT KSRC CACHE SECONDS_MAX KERNEL_WORDS TARGETS MODES TESTS REPEAT BACKINGS RECORD MUTANTS MINUTES CONFIG PATCHES A B SIZE GROWTH FIGURE

ifeq ($(MAKECMDGOALS) $(JOB),run )
$(error run what? make run JOB=<script or program>)
endif

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22
	@echo; sed -nE '/^\| variable/,/^$$/s/^\| `([^|]*)` \| ([^;|]*[^;| ]).*/  \1\t\2/p' docs/lab.md | tr -d '`' | expand -t 32
kernel: ## build base + series (STOCK=1: the base alone; MUTANT=name: one protection removed)
	@lab/kernel.sh
tree: ## make the git work tree: pristine source, one commit per patch
	@lab/deps.sh build && lab/tree.sh
refresh: ## write the tree's commits back into series/
	@lab/refresh.sh
rebase: ## move the series to another source of its line, KSRC=<tree or tarball> or the newest package
	@lab/rebase.sh
mbox: ## make one mailbox of the patches, for git am
	@lab/mbox.sh
applies: ## try each series, or that of BASE=, on every source of its line within reach, by git am, quilt and debian/patches
	@BASES='$(or $(BASES),$(if $(filter-out file,$(origin BASE))$(KSRC),$(BASE),$(notdir $(wildcard series/v*))))' lab/applies.sh
rangediff: ## show how the same patch differs between the bases A= and B=
	@lab/rangediff.sh
demo: ## show real guests on each DAX backing, on the stock kernel and with the series (RECORD=1 keeps the rows)
	@lab/demo.sh
kselftest: ## run the KVM, VFIO and DAX selftests on DAX memory (MODES=, TESTS= for a part; RECORD=1 keeps the results)
	@lab/kselftest.sh
bench: ## count the instructions that memory of each kind costs a guest, stock against series (SIZE=, REPEAT=)
	@lab/bench.sh
bench-diff: ## show by how much two runs of make bench differ, the files A= and B=
	@lab/bench-diff.sh
bench-profile: ## name the functions that a figure of make bench goes to, in two cases (FIGURE=, BACKINGS=<two> or <one>)
	@lab/bench-profile.sh
regress: ## run the kernel's own selftests, stock against series; a test that only stock passes is an error (RECORD=1 keeps the verdicts)
	@lab/regress.sh
soak: ## run the race test on every DAX backing: each pair of operations, then for MINUTES= with fresh seeds
	@lab/soak.sh
mutants: ## show which test fails when which protection is removed (MUTANTS= for some)
	@lab/mutants.sh
plot: ## draw docs/levels.svg, docs/demo.svg and docs/bench.svg from recorded results
	@lab/plot.sh
record: ## run again what results/ has of another series than the present one
	@lab/record.sh
table: ## write what the documents show of the results, series/
	@lab/table.sh
letters: ## write the cover letter of each topic of BASE, from series/topics and docs/letters
	@lab/letters.sh
bisect: ## build and boot the kernel after each patch of the series (PATCHES= for some; MODES= runs the selftests, too)
	@lab/bisect.sh
objects: ## compile what the series touches, after each patch, with W=1 and sparse, in several configurations and for arm64, powerpc, s390
	@lab/objects.sh
configs: ## build the whole kernel in several configurations (CONFIG= for one)
	@lab/configs.sh
kabi: ## compare the exported symbols and their types, stock against series
	@lab/kabi.sh
htmldocs: ## build the documentation that the series touches
	@lab/htmldocs.sh
kvm-dax-check: ## build build/kvm-dax-check, which says how a guest on a given path would be mapped (STATIC=1: without libraries)
	@mkdir -p build && $(CC) -O2 -Wall -Wextra -Werror $(if $(STATIC),-static -s) -o build/$@ tools/$@.c
check: ## check patches, scripts and C without booting (BASES= for some)
	@lab/check.sh
run: ## run JOB=<script or program> in the machine
	@lab/run.sh $(JOB)
shell: kernel ## a prompt in the machine
	@lab/machine.sh shell
cmdline: ## print the emulator's command
	@lab/machine.sh cmdline
clean: ## remove build/
	@rm -rf build
