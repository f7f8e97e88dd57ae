// SPDX-License-Identifier: GPL-2.0
/*
 * A guest writes to each page of 1 GiB of a DAX file all the time.  Meanwhile the
 * file, its mapping and the memslot change, each time from the state in which KVM
 * maps all of it by one entry of 1G.  After each change:
 *
 *   - the guest fails while its memory is missing, and only then and there
 *   - the file has in each page what the guest wrote there, or a zero in a hole
 *   - blocks that the file has lost may be given to another file, which nobody may
 *     write to; and a clone must stay as it is
 *   - KVM gets its one entry back: by itself after what leaves the blocks in place, or
 *     after the file was mapped or written anew
 *
 * The program fills the file system, so that other files get the lost blocks sooner.
 * A guest without memory must fail with EFAULT, or without a memslot as at a device.
 *
 * Takes the path of the file, seconds, and a seed.  Does each change once, then changes
 * by chance until the time is up.  Prints a TAP line with the counts; ends with 1 at the
 * first failure.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
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
static volatile bool stop, slot_gone;
static volatile uint64_t may_from, may_to;	/* where the guest may fail */
static volatile unsigned long passes, failed;
static volatile int unexpected;		/* errno of a pass that failed when it must not */
static volatile uint64_t failed_at;
static unsigned long given;		/* how often another file has got blocks meanwhile */

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
	/* Without a memslot, the access is one to a device. */
	if (error == EIO && run->exit_reason == KVM_EXIT_MMIO && slot_gone)
		error = EFAULT;
	if (ioctl(vcpu, KVM_GET_REGS, &regs))
		fail("KVM_GET_REGS");
	failed_at = regs.rdi - MEMORY;
	if (error != EFAULT)
		unexpected = error;
	return failed_at;
}

/* Opens and closes the window in which the guest may fail; it is never open elsewhere meanwhile. */
static void may_fail(uint64_t from, uint64_t to)
{
	if (to > may_to) {
		may_to = to;
		may_from = from;
	} else {
		may_from = from;
		may_to = to;
	}
}

/*
 * The vCPU.  One pass is a write to each page: what is left of the word is the page's
 * address.  Behind a page to which it cannot write, it leaves out more and more, and
 * in each pass others.
 */
static void *guest(void *unused)
{
	for (uint32_t generation = 2; !stop && !unexpected; generation = (generation + 2) % PAGE) {
		uint64_t from = may_from, to = may_to, first = PAGE * (1 + generation / 2 % 8);
		uint64_t at = 0, missing, skip = first;
		bool has = false;

		while ((missing = write_from(at, generation)) < GIB && !unexpected) {
			has = true;
			if ((missing < from || missing >= to) && (missing < may_from || missing >= may_to))
				unexpected = EFAULT;
			skip = missing == at ? skip * 2 : first;
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

static void check_guest(void)
{
	if (unexpected)
		wrong("KVM_RUN failed with %s at %#lx, exit reason %u", strerror(unexpected), failed_at, run->exit_reason);
}

/* Waits until the guest has ended @more passes; those that failed count if @also_failed. */
static void await_passes(unsigned long more, bool also_failed)
{
	unsigned long ended = passes, missed = failed, last = 0, now;
	time_t moved = time(NULL);

	do {
		usleep(STEP);
		check_guest();
		now = passes - ended + (also_failed ? failed - missed : 0);
		if (now != last) {
			last = now;
			moved = time(NULL);
		}
		if (time(NULL) - moved > STANDS_STILL)
			wrong("the guest stands still");
	} while (now < more);
}

/* Lets the guest come by; the pass that goes on does not count. */
static void let_guest_pass(void)
{
	await_passes(2, true);
}

/* The guest must not get through: each pass that begins from now on ends with a failure. */
static void must_fail(void)
{
	unsigned long ended;

	await_passes(1, true);
	ended = passes;
	let_guest_pass();
	if (passes != ended)
		wrong("the guest still writes to what was taken away");
}

static void read_all(int fd, uint64_t at, void *buffer, size_t size)
{
	ssize_t got = pread(fd, buffer, size, at);

	if (got < 0)
		fail("pread");
	if (got != (ssize_t)size)
		wrong("%zd bytes at %#lx instead of %zu", got, at, size);
}

/* Reads the file by read(2), and not where KVM has mapped it.  Pages to which the guest could not write are zero. */
static void check_file(bool zeroes)
{
	static uint32_t words[MIB / sizeof(uint32_t)];
	uint64_t end = lseek(file, 0, SEEK_END);

	/* Another change has moved pages behind it. */
	if (end > GIB)
		end = GIB;
	for (uint64_t at = 0; at < end; at += MIB) {
		size_t part = end - at < MIB ? end - at : MIB;

		read_all(file, at, words, part);
		for (uint64_t i = 0; i < part; i += PAGE) {
			uint32_t word = words[i / sizeof(*words)];

			if (word ? (word ^ (MEMORY + at + i)) >= PAGE : !zeroes)
				wrong("at %#lx the file has %#x", at + i, word);
		}
	}
}

/* Gives the guest room for all of its pages.  Then they must be in the file. */
static void must_arrive(void)
{
	if (ftruncate(other, 0) || ftruncate(spare, 0))
		fail("ftruncate");
	await_passes(2, false);
	check_file(false);
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
	uint64_t taken;

	/* Until the log is on the disk, XFS gives lost blocks to nobody. */
	if (syncfs(file))
		fail("syncfs");
	taken = take(other, size < 32 * MIB ? size : 32 * MIB);
	for (unsigned int i = 0; i < MIB / sizeof(*pattern); i++)
		pattern[i] = PATTERN;
	for (uint64_t at = 0; at < taken; at += MIB) {
		size_t part = taken - at < MIB ? taken - at : MIB;

		if (pwrite(other, pattern, part, at) != (ssize_t)part)
			fail("pwrite");
	}
	if (taken)
		given++;
	let_guest_pass();
	for (uint64_t at = 0; at < taken; at += MIB) {
		size_t part = taken - at < MIB ? taken - at : MIB;

		read_all(other, at, words, part);
		if (memcmp(words, pattern, part))
			wrong("a file that got lost blocks was written to, between %#lx and %#lx", at, at + part);
	}
	check_file(true);
}

static void map_file(uint64_t at, uint64_t size)
{
	if (mmap(memory + at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, at) != memory + at)
		fail("mmap");
}

/* Leaves some blocks free, which a hole punch needs. */
static void take_spare(void)
{
	take(spare, SPARE);
	if (ftruncate(spare, SPARE - 64 * PAGE))
		fail("ftruncate");
}

/*
 * Makes the file anew, in one extent, and writes to all of it: only written blocks are
 * mapped by 1G.  Meanwhile it is not mapped, because the guest would get smaller entries.
 */
static void renew(void)
{
	static char zeroes[2 * MIB];

	may_fail(0, GIB);
	if (munmap(memory, GIB))
		fail("munmap");
	if (ftruncate(file, 0) || ftruncate(spare, 0) || ftruncate(other, 0))
		fail("ftruncate");
	/* Else the free space is in pieces. */
	if (syncfs(file))
		fail("syncfs");
	if (fallocate(file, 0, 0, GIB))
		fail("fallocate of 1 GiB");
	for (uint64_t at = 0; at < GIB; at += sizeof(zeroes)) {
		if (pwrite(file, zeroes, sizeof(zeroes), at) != sizeof(zeroes))
			fail("pwrite");
	}
	if (fsync(file))
		fail("fsync");
	map_file(0, GIB);
	take_spare();
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
	may_fail(at, at + size);
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size))
		fail("FALLOC_FL_PUNCH_HOLE");
	give_away(size);
	must_arrive();
}

static void do_truncate(void)
{
	uint64_t size = page_by_chance();

	may_fail(size, GIB);
	if (ftruncate(file, size))
		fail("ftruncate");
	must_fail();
	give_away(GIB - size);
	if (ftruncate(file, GIB))
		fail("ftruncate");
	must_arrive();
}

/* The words of each page of the clone. */
static uint64_t sum_of_clone(void)
{
	static uint32_t words[MIB / sizeof(uint32_t)];
	uint64_t sum = 0;

	for (uint64_t at = 0; at < GIB; at += MIB) {
		read_all(other, at, words, MIB);
		for (uint64_t i = 0; i < MIB; i += PAGE)
			sum = (sum ^ words[i / sizeof(*words)]) * 0x100000001b3;
	}
	return sum;
}

static void do_clone(void)
{
	uint64_t sum;

	/* Room for some copies; then the guest fails. */
	may_fail(0, GIB);
	if (ftruncate(spare, 0))
		fail("ftruncate");
	if (ioctl(other, FICLONE, file))
		fail("FICLONE");
	sum = sum_of_clone();
	let_guest_pass();
	if (sum_of_clone() != sum)
		wrong("the clone has changed");
	check_file(true);
	if (ftruncate(other, 0))
		fail("ftruncate");
}

/* A hole of 2M is put before all pages, and taken away again. */
static void do_insert(void)
{
	may_fail(0, GIB);
	if (ftruncate(spare, 0))
		fail("ftruncate");
	if (fallocate(file, FALLOC_FL_INSERT_RANGE, 0, 2 * MIB))
		fail("FALLOC_FL_INSERT_RANGE");
	must_arrive();
	if (fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 2 * MIB))
		fail("FALLOC_FL_COLLAPSE_RANGE");
	must_arrive();
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
	may_fail(0, GIB);
	if (mprotect(memory, GIB, PROT_READ))
		fail("mprotect");
	must_fail();
	if (mprotect(memory, GIB, PROT_READ | PROT_WRITE))
		fail("mprotect");
}

static void do_munmap(void)
{
	may_fail(0, GIB);
	if (munmap(memory, GIB))
		fail("munmap");
	must_fail();
	map_file(0, GIB);
}

/* After a part was unmapped, the GiB has a page table, which only goes with the mapping. */
static void do_munmap_part(void)
{
	uint64_t at = page_by_chance();

	may_fail(at, at + PAGE);
	if (munmap(memory + at, PAGE))
		fail("munmap");
	must_fail();
	map_file(at, PAGE);
	let_guest_pass();
	check_file(false);
	may_fail(0, GIB);
	map_file(0, GIB);
}

static void do_mprotect_part(void)
{
	uint64_t at = page_by_chance();

	may_fail(at, at + PAGE);
	if (mprotect(memory + at, PAGE, PROT_READ))
		fail("mprotect");
	must_fail();
	if (mprotect(memory + at, PAGE, PROT_READ | PROT_WRITE))
		fail("mprotect");
	let_guest_pass();
	check_file(false);
	may_fail(0, GIB);
	map_file(0, GIB);
}

static void do_mremap(void)
{
	char *away = mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *place;

	if (away == MAP_FAILED)
		fail("mmap");
	place = (char *)(((uintptr_t)away + GIB - 1) & ~(GIB - 1));
	may_fail(0, GIB);
	if (mremap(memory, GIB, GIB, MREMAP_MAYMOVE | MREMAP_FIXED, place) != place)
		fail("mremap");
	must_fail();
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
	may_fail(0, GIB);
	slot_gone = true;
	if (set_slot(memory, 0, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	must_fail();
	if (set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
}

static struct {
	const char *name;
	void (*function)(void);
	bool takes_blocks;	/* the file is in pieces then */
	unsigned long count;
} changes[] = {
	{ "punch", do_punch, true, 0 },
	{ "truncate", do_truncate, true, 0 },
	{ "clone", do_clone, true, 0 },
	{ "insert", do_insert, true, 0 },
	{ "fsync", do_fsync, false, 0 },
	{ "msync", do_msync, false, 0 },
	{ "write", do_write, false, 0 },
	{ "dontneed", do_dontneed, false, 0 },
	{ "cold", do_cold, false, 0 },
	{ "mprotect", do_mprotect, false, 0 },
	{ "mprotect_part", do_mprotect_part, false, 0 },
	{ "munmap", do_munmap, false, 0 },
	{ "munmap_part", do_munmap_part, false, 0 },
	{ "mremap", do_mremap, false, 0 },
	{ "fork", do_fork, false, 0 },
	{ "look", do_look, false, 0 },
	{ "log", do_log, false, 0 },
	{ "slot", do_slot, false, 0 },
};
#define CHANGES (sizeof(changes) / sizeof(*changes))

static void make_change(unsigned int which)
{
	change = changes[which].name;
	/* The host sees that it goes on; a run that fails shows it last. */
	printf("%s\n", change);
	fflush(stdout);
	expect_1g();
	changes[which].function();
	if (changes[which].takes_blocks)
		renew();
	/* A pass that began before this may still fail for the change. */
	let_guest_pass();
	may_fail(0, 0);
	slot_gone = false;
	expect_1g();
	check_file(false);
	changes[which].count++;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	time_t end;

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
	take_spare();
	memory = reserve_gib();
	map_file(0, GIB);
	paging = true;
	interrupts = true;	/* then KVM may also handle faults as asynchronous ones */
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
	check_guest();
	printf("ok 1 seed=%s passes=%lu failed=%lu given=%lu", seed, passes, failed, given);
	for (unsigned int i = 0; i < CHANGES; i++)
		printf(" %s=%lu", changes[i].name, changes[i].count);
	printf("\n");
	return 0;
}
