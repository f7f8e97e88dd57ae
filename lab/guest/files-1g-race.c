// SPDX-License-Identifier: GPL-2.0
/*
 * A guest writes to each page of 1 GiB of a DAX file all the time.  Meanwhile the
 * file, its mapping and the memslot change, each time from the state in which KVM
 * maps all of it by one entry of 1G.  After each change:
 *
 *   - the file has in each page what the guest wrote there, or zeroes
 *   - blocks that the file has lost are given to another file, which nobody may
 *     write to; and a clone must stay as it is
 *   - KVM gets its one entry back: by itself after what leaves the blocks in place, or
 *     after the file was mapped or written anew
 *
 * To let another file get the lost blocks, the program fills the file system.  So a
 * guest may fail for want of memory, but only with EFAULT, while a change goes on.
 *
 * Takes the path of the file, seconds, and a seed.  Does each change once, then changes
 * by chance until the time is up.  Prints a TAP line with the counts; ends with 1 at the
 * first failure.
 */
#define _GNU_SOURCE
#include <libgen.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

#include "small-guest.h"

#define MIB (1UL << 20)
#define PAGES (GIB / PAGE)
#define SPARE (32 * MIB)
#define PATTERN 0xfeedf00dU	/* of no page of the guest */
#define STEP 1000		/* of a wait, in microseconds */
#define STANDS_STILL 600	/* seconds without the end of a pass, even on a slow host */

static int file, spare, filler, other;
static char *memory;
static const char *seed, *change = "begin";
static volatile bool stop, may_fail;
static volatile unsigned long passes, failed;
static volatile int unexpected;		/* errno of a pass that failed when it must not */
static unsigned long lost_blocks;

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	printf("# %s: ", change);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nnot ok 1 seed=%s change=%s passes=%lu\n", seed, change, passes);
	exit(1);
}

/* Lets the guest write to the pages from @at on; returns the first one to which it could not. */
static uint64_t write_from(uint64_t at, uint32_t generation)
{
	struct kvm_regs regs = {
		.rip = CODE, .rdi = MEMORY + at, .rsi = MEMORY + GIB, .rdx = PAGE, .rax = generation,
	};
	int error;

	if (!run_from(regs))
		return GIB;
	error = errno;
	/* EIO: without a memslot, the access is one to a device. */
	if ((error != EFAULT && error != EIO) || ioctl(vcpu, KVM_GET_REGS, &regs))
		unexpected = error;
	return regs.rdi - MEMORY;
}

/*
 * The vCPU.  One pass is a write to each page: what is left of the word is the page's
 * address.  Behind a page to which it cannot write, it leaves out more and more.
 */
static void *guest(void *unused)
{
	for (uint32_t generation = 2; !stop; generation = (generation + 2) % PAGE) {
		bool might = may_fail, has = false;
		uint64_t at = 0, missing, skip = PAGE;

		while ((missing = write_from(at, generation)) < GIB && !unexpected) {
			has = true;
			if (!might && !may_fail)
				unexpected = EFAULT;
			skip = missing == at ? skip * 2 : PAGE;
			at = missing + skip;
			if (at >= GIB)
				break;
		}
		if (has)
			failed++;
		else
			passes++;
	}
	return unused;
}

/* Waits until the guest has ended @more passes; those that failed count if @also_failed. */
static void await_passes(unsigned long more, bool also_failed)
{
	unsigned long ended = passes, missed = failed, last = 0, now;
	time_t moved = time(NULL);

	do {
		usleep(STEP);
		if (unexpected)
			wrong("KVM_RUN failed with %s, exit reason %u", strerror(unexpected), run->exit_reason);
		now = passes - ended + (also_failed ? failed - missed : 0);
		if (now != last) {
			last = now;
			moved = time(NULL);
		}
		if (time(NULL) - moved > STANDS_STILL)
			wrong("the guest stands still");
	} while (now < more);
}

/* Lets the guest come by each page; the pass that goes on does not count. */
static void let_guest_pass(void)
{
	await_passes(2, true);
}

static void read_all(int fd, uint64_t at, void *buffer, size_t size)
{
	ssize_t got = pread(fd, buffer, size, at);

	if (got < 0)
		fail("pread");
	if (got != (ssize_t)size)
		wrong("%zd bytes at %#lx instead of %zu", got, at, size);
}

/* Reads the file by read(2), and not where KVM has mapped it. */
static void check_file(void)
{
	static uint32_t words[MIB / sizeof(uint32_t)];
	uint64_t end = lseek(file, 0, SEEK_END);

	for (uint64_t at = 0; at < end; at += MIB) {
		size_t part = end - at < MIB ? end - at : MIB;

		read_all(file, at, words, part);
		for (uint64_t i = 0; i < part; i += PAGE) {
			uint32_t word = words[i / sizeof(*words)];

			if (word && (word ^ (MEMORY + at + i)) >= PAGE)
				wrong("at %#lx the file has %#x", at + i, word);
		}
	}
}

static uint64_t page_by_chance(void)
{
	return random() % PAGES * PAGE;
}

/* Takes up to @size of what is free; returns how much that was. */
static uint64_t take(int fd, uint64_t size)
{
	uint64_t taken = 0;

	for (uint64_t part = size; part >= PAGE; part /= 2) {
		while (taken + part <= size && !fallocate(fd, 0, taken, part))
			taken += part;
	}
	return taken;
}

/* Gives blocks that the file has lost to another file, and lets the guest pass: it must not write there. */
static void give_away(uint64_t size)
{
	static uint32_t pattern[MIB / sizeof(uint32_t)], words[MIB / sizeof(uint32_t)];
	uint64_t taken = take(other, size < 32 * MIB ? size : 32 * MIB);

	for (unsigned int i = 0; i < MIB / sizeof(*pattern); i++)
		pattern[i] = PATTERN;
	for (uint64_t at = 0; at < taken; at += MIB) {
		size_t part = taken - at < MIB ? taken - at : MIB;

		if (pwrite(other, pattern, part, at) != (ssize_t)part)
			fail("pwrite");
	}
	if (taken)
		lost_blocks++;
	let_guest_pass();
	for (uint64_t at = 0; at < taken; at += MIB) {
		size_t part = taken - at < MIB ? taken - at : MIB;

		read_all(other, at, words, part);
		if (memcmp(words, pattern, part))
			wrong("a file that got lost blocks was written to, between %#lx and %#lx", at, at + part);
	}
	check_file();
	if (ftruncate(other, 0))
		fail("ftruncate");
}

static void map_file(uint64_t at, uint64_t size)
{
	if (mmap(memory + at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, at) != memory + at)
		fail("mmap");
}

/*
 * Makes the file anew, in one extent, and writes to all of it: only written blocks are
 * mapped by 1G.  Meanwhile it is not mapped, because the guest would get smaller entries.
 */
static void renew(void)
{
	static char zeroes[2 * MIB];

	if (munmap(memory, GIB))
		fail("munmap");
	if (ftruncate(file, 0) || ftruncate(spare, 0) || ftruncate(other, 0))
		fail("ftruncate");
	if (fallocate(file, 0, 0, GIB))
		fail("fallocate of 1 GiB");
	for (uint64_t at = 0; at < GIB; at += sizeof(zeroes)) {
		if (pwrite(file, zeroes, sizeof(zeroes), at) != sizeof(zeroes))
			fail("pwrite");
	}
	if (fsync(file))
		fail("fsync");
	map_file(0, GIB);
	take(spare, SPARE);
}

/* KVM must map all of the file by one entry, after the guest has come by. */
static void expect_1g(void)
{
	unsigned long gigantic = 0;

	for (int i = 0; i < 10 && !gigantic; i++) {
		await_passes(2, false);
		gigantic = statistic("pages_1g");
	}
	if (!gigantic)
		wrong("KVM has not mapped the file by 1G again, but by %lu x 2M", statistic("pages_2m"));
}

static void do_punch(void)
{
	uint64_t at = page_by_chance(), size = PAGE << random() % 11;

	if (size > GIB - at)
		size = GIB - at;
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size))
		fail("FALLOC_FL_PUNCH_HOLE");
	give_away(size);
}

static void do_truncate(void)
{
	uint64_t size = page_by_chance();

	if (ftruncate(file, size))
		fail("ftruncate");
	give_away(GIB - size);
	if (ftruncate(file, GIB))
		fail("ftruncate");
	let_guest_pass();
	check_file();
}

/* The words of each page of the clone. */
static uint64_t sum_of_clone(void)
{
	static uint32_t words[MIB / sizeof(uint32_t)];
	uint64_t sum = 0;

	for (uint64_t at = 0; at < GIB; at += MIB) {
		read_all(other, at, words, MIB);
		for (uint64_t i = 0; i < MIB; i += PAGE)
			sum = (sum << 7 | sum >> 57) ^ words[i / sizeof(*words)];
	}
	return sum;
}

static void do_clone(void)
{
	uint64_t sum;

	/* Room for some copies; then the guest fails. */
	if (ftruncate(spare, 0))
		fail("ftruncate");
	if (ioctl(other, FICLONE, file))
		fail("FICLONE");
	sum = sum_of_clone();
	let_guest_pass();
	if (sum_of_clone() != sum)
		wrong("the clone has changed");
	check_file();
	if (ftruncate(other, 0))
		fail("ftruncate");
}

static void do_insert(void)
{
	/* What was at 0 is then at 2M, and comes back.  The guest may have written there meanwhile. */
	if (fallocate(file, FALLOC_FL_INSERT_RANGE, 0, 2 * MIB)) {
		if (errno != ENOSPC)
			fail("FALLOC_FL_INSERT_RANGE");
		return;
	}
	let_guest_pass();
	if (fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 2 * MIB))
		fail("FALLOC_FL_COLLAPSE_RANGE");
	/* Each word is where the guest wrote it, or 2M lower: wait until it has written all anew. */
	let_guest_pass();
}

static void do_fsync(void)
{
	if (fsync(file))
		fail("fsync");
}

static void do_msync(void)
{
	uint64_t at = page_by_chance();

	if (msync(memory + at, PAGE, MS_SYNC))
		fail("msync");
}

static void do_write(void)
{
	const uint64_t at = page_by_chance() + PAGE / 2;
	uint32_t word = PATTERN, found;

	if (pwrite(file, &word, sizeof(word), at) != sizeof(word))
		fail("pwrite");
	let_guest_pass();
	memcpy(&found, memory + at, sizeof(found));
	if (found != word)
		wrong("the mapping has %#x where %#x was written", found, word);
}

static void do_advice(int advice)
{
	if (madvise(memory, GIB, advice))
		fail("madvise");
}

static void do_dontneed(void)
{
	do_advice(MADV_DONTNEED);
}

static void do_cold(void)
{
	do_advice(MADV_COLD);
	do_advice(MADV_PAGEOUT);
}

static void do_mprotect(void)
{
	if (mprotect(memory, GIB, PROT_READ))
		fail("mprotect");
	let_guest_pass();
	if (mprotect(memory, GIB, PROT_READ | PROT_WRITE))
		fail("mprotect");
}

static void do_munmap(void)
{
	if (munmap(memory, GIB))
		fail("munmap");
	let_guest_pass();
	map_file(0, GIB);
}

/* After a part was unmapped, the GiB has a page table, which only goes with the mapping. */
static void do_munmap_part(void)
{
	uint64_t at = page_by_chance();

	if (munmap(memory + at, PAGE))
		fail("munmap");
	let_guest_pass();
	map_file(at, PAGE);
	let_guest_pass();
	check_file();
	map_file(0, GIB);
}

static void do_mprotect_part(void)
{
	uint64_t at = page_by_chance();

	if (mprotect(memory + at, PAGE, PROT_READ))
		fail("mprotect");
	let_guest_pass();
	if (mprotect(memory + at, PAGE, PROT_READ | PROT_WRITE))
		fail("mprotect");
	let_guest_pass();
	check_file();
	map_file(0, GIB);
}

static void do_mremap(void)
{
	char *away = mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *place;

	if (away == MAP_FAILED)
		fail("mmap");
	place = (char *)(((uintptr_t)away + GIB - 1) & ~(GIB - 1));
	if (mremap(memory, GIB, GIB, MREMAP_MAYMOVE | MREMAP_FIXED, place) != place)
		fail("mremap");
	let_guest_pass();
	if (mremap(place, GIB, GIB, MREMAP_MAYMOVE | MREMAP_FIXED, memory) != memory)
		fail("mremap");
	if (munmap(away, 2 * GIB))
		fail("munmap");
}

static void do_fork(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		fail("fork");
	if (!child) {
		for (uint64_t at = 0; at < GIB; at += 2 * MIB)
			*(volatile char *)(memory + at);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		wrong("the child ended with status %#x", status);
}

static void do_look(void)
{
	static const char *const names[] = { "smaps", "smaps_rollup", "numa_maps", "maps", "status", "statm", "pagemap" };
	static char text[1 << 16];
	char place[64];
	int fd;

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(place, sizeof(place), "/proc/self/%s", names[i]);
		fd = open(place, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (i < 6) {
			while (read(fd, text, sizeof(text)) > 0)
				;
		} else if (pread(fd, text, sizeof(text), ((uintptr_t)memory + page_by_chance() / 2) / PAGE * 8) < 0) {
			fail(place);
		}
		close(fd);
	}
}

/* Each page that the guest has come by must be in the log. */
static void do_log(void)
{
	static uint64_t bits[PAGES / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bits };

	if (set_slot(memory, GIB, KVM_MEM_LOG_DIRTY_PAGES))
		fail("KVM_MEM_LOG_DIRTY_PAGES");
	await_passes(2, false);
	DO_IOCTL(vm, KVM_GET_DIRTY_LOG, &log);
	for (unsigned int i = 0; i < PAGES / 64; i++) {
		if (~bits[i])
			wrong("the log lacks pages among the 64 from %#lx on", i * 64 * PAGE);
	}
	if (statistic("pages_1g"))
		wrong("a 1G entry while dirty pages are logged");
	if (set_slot(memory, GIB, 0))
		fail("no dirty log");
}

static void do_slot(void)
{
	if (set_slot(memory, 0, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	let_guest_pass();
	if (set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
}

static struct {
	const char *name;
	void (*function)(void);
	bool takes_blocks;	/* the file is in pieces then */
	bool fails;		/* the guest may fail meanwhile */
	unsigned long count;
} changes[] = {
	{ "punch", do_punch, true, true, 0 },
	{ "truncate", do_truncate, true, true, 0 },
	{ "clone", do_clone, true, true, 0 },
	{ "insert", do_insert, true, true, 0 },
	{ "fsync", do_fsync, false, false, 0 },
	{ "msync", do_msync, false, false, 0 },
	{ "write", do_write, false, false, 0 },
	{ "dontneed", do_dontneed, false, false, 0 },
	{ "cold", do_cold, false, false, 0 },
	{ "mprotect", do_mprotect, false, true, 0 },
	{ "mprotect_part", do_mprotect_part, false, true, 0 },
	{ "munmap", do_munmap, false, true, 0 },
	{ "munmap_part", do_munmap_part, false, true, 0 },
	{ "mremap", do_mremap, false, true, 0 },
	{ "fork", do_fork, false, false, 0 },
	{ "look", do_look, false, false, 0 },
	{ "log", do_log, false, false, 0 },
	{ "slot", do_slot, false, true, 0 },
};
#define CHANGES (sizeof(changes) / sizeof(*changes))

static void make_change(unsigned int which)
{
	change = changes[which].name;
	expect_1g();
	may_fail = changes[which].fails;
	changes[which].function();
	if (changes[which].takes_blocks)
		renew();
	if (may_fail) {
		/* A pass that began before this may still fail for the change. */
		let_guest_pass();
		may_fail = false;
	}
	expect_1g();
	check_file();
	changes[which].count++;
}

static int new_file(void)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s", path);
	fd = open(dirname(name), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("O_TMPFILE");
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	time_t end;
	char *room;

	if (argc != 4) {
		fprintf(stderr, "usage: files-1g-race FILE SECONDS SEED\n");
		return 2;
	}
	path = argv[1];
	seed = argv[3];
	srandom(strtoul(seed, NULL, 0));
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		fail("open");
	spare = new_file();
	filler = new_file();
	other = new_file();
	if (take(spare, SPARE) != SPARE)
		fail("no room for the spare file");
	take(filler, 1024 * GIB);
	room = mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		fail("mmap of room");
	memory = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1));
	map_file(0, GIB);
	paging = true;
	open_guest();
	if (set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	if (pthread_create(&thread, NULL, guest, NULL))
		fail("pthread_create");

	for (unsigned int i = 0; i < CHANGES; i++)
		make_change(i);
	for (end = time(NULL) + strtol(argv[2], NULL, 0); time(NULL) < end;)
		make_change(random() % CHANGES);

	stop = true;
	pthread_join(thread, NULL);
	if (!lost_blocks)
		wrong("no other file has got lost blocks");
	printf("ok 1 seed=%s passes=%lu failed=%lu lost_blocks=%lu", seed, passes, failed, lost_blocks);
	for (unsigned int i = 0; i < CHANGES; i++)
		printf(" %s=%lu", changes[i].name, changes[i].count);
	printf("\n");
	return 0;
}
