# Each target only calls the script in lab/ that does the work. make without a target lists the targets.
MAKEFLAGS += --no-print-directory
BASE ?= $(shell cat series/default)
.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' Makefile)
export BASE BASES CHECKS CPU STOCK MUTANT KSRC CACHE SECONDS_MAX KERNEL_WORDS TARGETS MODES TESTS REPEAT BACKINGS RECORD MUTANTS MINUTES
export CONFIG PATCHES A B SIZE GROWTH FIGURE TOPIC PRIVATE FSTESTS KVM_UNIT_TESTS FILES_1G STATIC

ifeq ($(MAKECMDGOALS) $(JOB),run )
$(error run what? make run JOB=<script or program>)
endif

help: ## use: list the targets
	@for group in 'use it' 'carry it' 'prove it'; do \
		echo "To $$group:"; \
		sed -nE "s/^([a-z-]+):.*## $${group% it}: (.*)/  make \1\t\2/p" Makefile | expand -t 22; \
	done
	@echo "make help-<target> explains a target and its variables, from docs/lab.md."
help-%:
	@lab/lib/explain.sh $*
kernel: ## carry: build base and series (STOCK=1, MUTANT=)
	@lab/kernel/build.sh
tree: ## carry: make the git tree, a commit per patch
	@lab/kernel/deps.sh build && lab/kernel/tree.sh
refresh: ## carry: write the tree back into series/
	@lab/carry/refresh.sh
rebase: ## carry: move the series to another source
	@lab/carry/rebase.sh
mbox: ## use: make one mailbox for git am
	@lab/carry/mbox.sh
applies: ## use: try the series on your tree, by KSRC=
	@BASES='$(or $(BASES),$(if $(filter-out file,$(origin BASE))$(KSRC),$(BASE),$(notdir $(wildcard series/v*))))' lab/carry/applies.sh
rangediff: ## carry: compare a patch between bases A= and B=
	@lab/carry/rangediff.sh
demo: ## use: show guests, stock against series
	@lab/prove/demo.sh
kselftest: ## use: run the selftests on DAX memory
	@lab/prove/kselftest.sh
bench: ## prove: count a fault's instructions, stock and series
	@lab/prove/bench.sh
bench-diff: ## prove: compare two runs of make bench
	@lab/prove/bench-diff.sh
bench-profile: ## prove: name the functions behind a figure
	@lab/prove/bench-profile.sh
regress: ## prove: run the kernel's own selftests, stock and series
	@lab/prove/regress.sh
fstests: ## prove: run fstests on DAX, stock and series (FSTESTS=)
	@lab/prove/regress.sh fstests
kvm-unit-tests: ## prove: run KVM-unit-tests on DAX (KVM_UNIT_TESTS=)
	@lab/prove/regress.sh kvm-unit-tests
soak: ## prove: race for a guest's memory for MINUTES=
	@lab/prove/soak.sh
mutants: ## prove: show which test catches which damage
	@lab/prove/mutants.sh
rehash: ## carry: keep results if only comments changed
	@lab/record/rehash.sh
plot: ## carry: draw the pictures from recorded results
	@lab/record/plot.sh
old: ## prove: name results that are not current, and why
	@lab/record/old.sh
record: ## prove: run again what results/ lacks
	@lab/record/record.sh
table: ## carry: write the tables of the documents
	@lab/record/table.sh
letters: ## carry: write the cover letter of each topic
	@lab/carry/letters.sh
post: ## carry: write a topic as mails, by TOPIC=
	@lab/carry/post.sh
release: ## carry: print the command that tags a version
	@lab/record/release.sh
bisect: ## prove: build and boot after each patch
	@lab/carry/bisect.sh
objects: ## prove: compile after each patch, several configurations
	@lab/carry/objects.sh
configs: ## prove: build whole kernels of several configurations
	@lab/carry/configs.sh
kabi: ## carry: compare exported symbols and types
	@lab/carry/kabi.sh
htmldocs: ## carry: build the documentation that the series touches
	@lab/carry/htmldocs.sh
kvm-dax-check: ## use: build the tool that checks a path
	@echo '#include <stdio.h>' | $(CC) -E - >/dev/null 2>&1 || lab/kernel/deps.sh tool
	@mkdir -p build && $(CC) -O2 -Wall -Wextra -Werror $(if $(STATIC),-static -s) -o build/$@ tools/$@.c
check: ## carry: check patches, scripts and C without booting
	@lab/check/check.sh
run: ## carry: run JOB=<script or program> in the machine
	@lab/prove/job.sh $(JOB)
shell: kernel ## carry: open a prompt in the machine
	@lab/machine/run.sh shell
cmdline: ## carry: print the emulator's command
	@lab/machine/run.sh cmdline
clean: ## carry: remove build/
	@rm -rf build
