// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU plugin that counts how often each instruction is executed while
 * kvm-bench counts.  A section is from one reading of kvm-bench's clock to the
 * next one.  From there to the reading after that, nothing is counted.
 *
 * Takes clock=<address of kvm-bench's now(), hexadecimal>, at which no other
 * program may have code, and out=<file>.  Writes lines of section, address and
 * count.  The sections are numbered from 1, as in kvm-bench.
 *
 * An instruction with a rep prefix is executed once for each repetition.  One
 * that faults, or makes a guest end, is begun twice and counted twice here, but
 * not by the emulator's clock.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The used parts of QEMU's plugin interface, for which Debian has no header. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*executed)(unsigned int vcpu, void *data),
					    int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *value, uint64_t add);

int qemu_plugin_version = 1;
int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv);

/* All instructions that were ever translated, by a hash of their address; address 0 is an empty place. */
#define NR_PLACES (1U << 21)

static struct place {
	uint64_t address, executed, before;
} places[NR_PLACES];

static uint64_t clock_address;
static FILE *out;

static struct place *place_of(uint64_t address)
{
	static unsigned int used;
	struct place *place = places + (address * 0x9e3779b97f4a7c15 >> 43);

	while (place->address && place->address != address)
		place = place == places ? places + NR_PLACES - 1 : place - 1;
	if (!place->address && ++used > NR_PLACES / 4 * 3) {
		fputs("count-functions: too many instructions\n", stderr);
		exit(1);
	}
	place->address = address;
	return place;
}

static void clock_read(unsigned int vcpu, void *data)
{
	static unsigned int section;
	static bool counting;
	struct place *place;

	(void)vcpu;
	(void)data;
	counting = !counting;
	section += counting;
	for (place = places; place < places + NR_PLACES; place++) {
		if (counting)
			place->before = place->executed;
		else if (place->executed != place->before)
			fprintf(out, "%u\t%016" PRIx64 "\t%" PRIu64 "\n", section, place->address, place->executed - place->before);
	}
	fflush(out);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *insn;
	uint64_t address;
	size_t i;

	(void)id;
	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		address = qemu_plugin_insn_vaddr(insn);
		if (address == clock_address)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, clock_read, QEMU_PLUGIN_CB_NO_REGS, NULL);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &place_of(address)->executed, 1);
	}
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "clock=", 6))
			clock_address = strtoull(argv[i] + 6, NULL, 16);
		else if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	}
	if (!clock_address || !out) {
		fputs("count-functions: clock=<address>,out=<file> are needed, and a file that can be written\n", stderr);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
