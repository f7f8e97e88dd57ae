// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds kvm-dax-check with randomly broken texts of /proc and /sys, with names
 * that are hard for a shell, and with random device-mapper tables.  Each case runs
 * in a process of its own.  A case fails if it is killed, ends with a status that
 * the manual page does not have, or prints invalid JSON.  The seed of a failed case
 * is printed.  Also checks the lines for each VMM, and what is expected of the first
 * 1G.  Compile it with sanitizers.
 *
 *   kvm-dax-check-fuzz FOLDER CASES [FIRST-SEED]
 */
#define main tool_main
#include "../../tools/kvm-dax-check.c"
#undef main

#include <sys/wait.h>

static uint64_t state;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % below;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Writes a line as the kernel prints it, with some bytes changed, left out, or doubled. */
static void write_broken(FILE *file, const char *text, uint32_t rate)
{
	for (; *text; text++) {
		switch (draw(rate)) {
		case 0:
			fputc(draw(256), file);
			break;
		case 1:
			break;
		case 2:
			fprintf(file, "%c%llu", *text, ~0ULL >> draw(64));
			break;
		default:
			fputc(*text, file);
		}
	}
}

/* Writes a file below @root, which all cases share: up to 39 lines, drawn from @lines, or the line if there is only one. */
static void make_file(const char *at, const char *const *lines, unsigned int count)
{
	char *path = format("%s%s", root, at), *slash = path;
	uint32_t i, number = draw(40), rate = 8 << draw(8);
	FILE *file;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			die(path);
		*slash = '/';
	}
	file = fopen(path, "w");
	if (!file)
		die(path);
	for (i = 0; i < (count == 1 ? 1 : number); i++)
		write_broken(file, lines[draw(count)], rate);
	fclose(file);
}

#define MAKE(at, ...) make_file(at, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))

static void make_proc(const struct stat *st)
{
	char *here = format("29 24 %u:%u / / rw - %s /dev/pmem0 rw,dax%s%s,rtdev=/dev/null\n", major(st->st_dev), minor(st->st_dev),
			    draw(2) ? "xfs" : "ext4", draw(2) ? "=always" : draw(2) ? "=inode" : "",
			    draw(2) ? "" : draw(2) ? ",sunit=4096" : ",sunit=x");
	struct utsname name;
	static const char *const fds[] = { "anon_inode:kvm-vm", "/dev/dax0.0", "socket:[1]", "/a (deleted)", "anon_inode:kvm-vcpu:0" };
	char *path;
	int i;

	MAKE("/proc/77/maps", "7f0000000000-7f0040000000 rw-s 00000000 103:00 12 /dax/f\n",
	     "7f0000000000-7f0040000000 r--p 00000000 103:00 12 /dax/f\n",
	     "7f0000000000-7f0040000000 rw-p 00200000 00:05 12 /dax/qemu_back_mem.pc.ram.x (deleted)\n",
	     "7f0000000000-7f0040000000 rw-s 00000000 00:01 12                         /memfd:a\\012b (deleted)\n",
	     "55550000-55560000 r-xp 00000000 08:01 1 /usr/bin/x\n", "7ffff000-80000000 rw-p 00000000 00:00 0 [stack]\n", "-", "\n");
	MAKE("/proc/77/limits", "Limit Soft Limit Hard Limit Units\n", "Max locked memory 65536 65536 bytes\n",
	     "Max locked memory unlimited unlimited bytes\n", "Max locked memory 99999999999999999999999 1 bytes\n");
	MAKE("/proc/77/status", "Name:\tx\n", "State:\tZ (zombie)\n", "State:\tS (sleeping)\n", "Threads:\t1\n", "Threads:\t2\n");
	MAKE("/proc/77/mountinfo", "25 24 259:0 / /x rw - xfs /dev/pmem0 rw\n", here);
	MAKE("/proc/self/limits", "Max locked memory 65536 65536 bytes\n");
	MAKE("/proc/self/mountinfo", "24 1 253:0 / / rw - ext4 /dev/vda rw\n",
	     "25 24 259:0 / /da\\040x rw,relatime - xfs /dev/pmem0 rw,dax=always\n",
	     "26 24 0:26 / /o rw - overlay o rw,lowerdir=/a\\054b,upperdir=/u\n", "27 24 1:2 / /z - ", " - \n", "28 24 1:3 /\n", here, here, here);
	MAKE("/proc/self/fdinfo/3", "pos:\t0\n", "mnt_id:\t25\n", "mnt_id:\t26\n", "mnt_id:\t-1\n");
	MAKE("/proc/self/fdinfo/4", "mnt_id:\t24\n");
	MAKE("/proc/kallsyms", "0 T user_mapping_shift\n", "0 T lookup_address_in_mm\n", "0 t x\t[kvm]\n", "0 T dax_iomap_pud_fault\n");
	MAKE("/proc/cpuinfo", "\nflags\t\t: fpu pdpe1gb lm\n", "flags\t\t: fpu lm\n", "model name\t: x\n");
	uname(&name);
	MAKE(format("/boot/config-%s", name.release), "# CONFIG_FS_DAX_PUD is not set\n", "CONFIG_X=y\n");
	MAKE("/proc/77/task/78/comm", "x\n");
	MAKE("/proc/77/comm", "qemu\n");
	mkdir(format("%s/proc/77/fd", root), 0700);
	for (i = 0; i < 5; i++) {
		path = format("%s/proc/77/fd/%d", root, i);
		unlink(path);
		if (symlink(fds[draw(5)], path))
			die(path);
	}
}

static void make_sys(const struct stat *st)
{
	char *block = format("/sys/dev/block/%u:%u", major(st->st_dev), minor(st->st_dev));
	static const char *const vms[] = { "77-2", "78-3", "99999999-1", "99999998-1", "99999999-2", "-1", "78", "x-1" };
	unsigned int i;

	for (i = 0; i < sizeof(vms) / sizeof(vms[0]); i++) {
		if (draw(2))
			MAKE(format("/sys/kernel/debug/kvm/%s/pages_4k", vms[i]), "12\n");
		if (draw(2))
			MAKE(format("/sys/kernel/debug/kvm/%s/pages_2m", vms[i]), "18446744073709551615\n");
		if (draw(2))
			MAKE(format("/sys/kernel/debug/kvm/%s/pages_1g", vms[i]), "0x1\n");
		MAKE(format("/sys/kernel/debug/kvm/%s/largepages", vms[i]), "7\n");
	}
	MAKE("/sys/module/kvm/parameters/nx_huge_pages", "Y\n", "auto\n", "never\n");
	if (draw(2))
		MAKE(format("%s/device/resource", block), "0x240000000\n");
	MAKE(format("%s/size", block), "2097152\n");
	MAKE(format("%s/start", block), "2048\n");
	MAKE(format("%s/queue/dax", block), draw(2) ? "1\n" : "0\n");
	MAKE("/sys/dev/char/1:3/align", draw(2) ? "2097152\n" : "1073741824\n");
	MAKE("/sys/dev/char/1:3/size", "1073741824\n");
}

/* Draws a valid file name of 1 to 20 bytes. */
static char *draw_name(void)
{
	static const char nasty[] = "'\"\\ ,;$`&|<>()*?[]{}~#!%=\n\t\033\177-a\xc3\xa9\xff\xc2\x85\xe2";
	uint32_t i, length = 1 + draw(20);
	char *name = calloc(1, length + 1);

	for (i = 0; i < length; i++) {
		do
			name[i] = draw(3) ? nasty[draw(sizeof(nasty) - 1)] : (char)draw(256);
		while (!name[i] || name[i] == '/');
	}
	return !strcmp(name, ".") || !strcmp(name, "..") ? strdup("a") : name;
}

/* Adds a table like those of the ioctl, whose content is random numbers, small or large. */
static void random_table(void)
{
	uint64_t *buffer = calloc(8192, 8);
	struct dm_ioctl *table = (struct dm_ioctl *)buffer;
	struct dm_target_spec *target = (struct dm_target_spec *)(table + 1);
	struct layout layout = { 0 };
	uint32_t i;

	for (i = sizeof(*table) / 8; i < 64; i++)
		buffer[i] = draw(2) ? draw(100) : state;
	table->data_size = 64 * 8;
	table->data_start = draw(2) ? sizeof(*table) : draw(700);
	table->target_count = draw(4);
	strcpy(target->target_type, draw(4) ? "linear" : "striped");
	strcpy((char *)(target + 1), draw(4) ? "259:0 2048" : "1:18446744073709551615 x");
	add_table(&layout, table, draw(10));
	free(buffer);
}

/* Returns the end of the JSON value at @at, or NULL if there is none. */
static const char *json_value(const char *at)
{
	char close;

	if (*at == '"') {
		for (at++; *at != '"'; at++) {
			if ((unsigned char)*at < 0x20)
				return NULL;
			if (*at == '\\' && (!strchr("\"\\u", at[1]) || (*++at == 'u' && strspn(at + 1, "0123456789abcdef") < 4)))
				return NULL;
		}
		return at + 1;
	}
	if (*at != '{' && *at != '[')
		return isdigit((unsigned char)*at) ? at + strspn(at, "0123456789") : NULL;
	close = *at++ == '{' ? '}' : ']';
	while (*at && *at != close) {
		if (close == '}' && (*at != '"' || !(at = json_value(at)) || *at++ != ':'))
			return NULL;
		at = json_value(at);
		if (!at || (*at == ',' ? !*++at || *at == close : *at != close))
			return NULL;
	}
	return *at ? at + 1 : NULL;
}

/* Checks the extents of a file that is not DAX, at invented addresses. */
static enum status check_parts(const char *path, const struct stat *st)
{
	struct memory memory = { .path = path, .real = path, .name = quote(path), .size = st->st_size, .align = SZ_2M,
				 .xfs = draw(2), .no_1g = draw(2) ? NULL : "x", .vga = draw(2) };
	struct layout layout = { 0 };
	int fd = open_still(&memory, st);

	while (draw(5))
		add_segment(&layout, (uint64_t)draw(4096) << 20, (uint64_t)draw(1U << 30) << draw(8), (uint64_t)draw(1 << 20) << 20);
	check_extents(&memory, fd, st->st_dev, &layout);
	return say_level(&memory);
}

/* Runs one case; does not return. */
static void run_case(const char *folder)
{
	char *path = format("%s/%s", folder, draw_name()), *said = format("%s/said", folder);
	struct stat st = { 0 };
	uint32_t i;
	int fd;

	root = format("%s/root", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	for (i = draw(6); i; i--) {
		if (pwrite(fd, "x", 1, draw(1 << 24)) != 1)
			die(path);
	}
	if (fd < 0 || (draw(2) && ftruncate(fd, (off_t)draw(1 << 30) << draw(3))) || fstat(fd, &st))
		die(path);
	close(fd);
	mkdir(root, 0700);
	make_proc(&st);
	make_sys(&st);
	json = draw(2);
	vmm = &vmms[draw(4)];
	elsewhere = draw(2) ? "77" : NULL;
	random_table();
	/* Sanitizers write to descriptor 2 itself. */
	stderr = fopen("/dev/null", "w");
	if (!stderr || !freopen(said, "w", stdout))
		die(said);
	switch (draw(5)) {
	case 0:
		finish(check_process("77"));
	case 1:
		finish(check_path("/dev/null"));
	case 2:
		finish(check_path(folder));
	case 3:
		finish(check_parts(path, &st));
	default:
		finish(check_path(path));
	}
}

/* Checks that bash reads quoted names as the names themselves. */
static int check_quotes(const char *folder)
{
	char *script = format("%s/quotes", folder), *names[300], *command, said[64];
	FILE *file = fopen(script, "w"), *pipe;
	int i, at, c, bad = 0;

	for (i = 0; i < 300; i++) {
		names[i] = draw_name();
		fprintf(file, "printf '%%s\\0' %s\n", quote(names[i]));
	}
	fclose(file);
	command = format("bash %s", quote(script));
	pipe = popen(command, "r");
	for (i = 0; i < 300 && pipe; i++) {
		for (at = 0; (c = getc(pipe)) > 0 && at < 63; at++)
			said[at] = (char)c;
		said[at] = '\0';
		if (strcmp(said, names[i]))
			bad += !!fprintf(stderr, "quoted %s, and bash made another name of it\n", quote(names[i]));
	}
	return pclose(pipe) || bad;
}

/* Checks what each VMM's line has: the member command of the JSON is only what is to be typed, and a note has the rest. */
static int check_commands(void)
{
	static const struct { const char *name; bool folder, read_only; const char *command, *note; } lines[] = {
		{ "qemu", false, false, "\"-object memory-backend-file,id=mem,mem-path=/a,share=on,align=2M,size=1G -machine q35,memory-backend=mem -m 1G\"",
		  "\"nvdimm\",\"text\":\"as a guest's nvdimm with label-size=2M, the guest sees 1022M of these 1G, " },
		{ "libvirt", false, false, "\"<memory model='nvdimm' access='shared'>\\u000a  <source>\\u000a    <path>/a</path>\\u000a    "
		  "<alignsize unit='KiB'>2048</alignsize>\\u000a  </source>\\u000a  <target>\\u000a    <size unit='KiB'>1048576</size>\\u000a    "
		  "<node>0</node>\\u000a  </target>\\u000a</memory>\"", "\"place\",\"text\":\"<devices>, " },
		{ "libvirt", false, false, "", "\"nvdimm\",\"text\":\"as a guest's nvdimm with <label><size unit='MiB'>2</size></label>, the guest sees 1022M " },
		{ "libvirt", true, false, "\"memory_backing_dir = \\\"/a\\\"\"", "\"place\",\"text\":\"/etc/libvirt/qemu.conf; the domain needs <memoryBacking>" },
		{ "cloud-hypervisor", false, false, "\"--memory size=0 --memory-zone id=mem,size=1G,file=/a,shared=on\"", "" },
		{ "cloud-hypervisor", false, true, "\"--pmem 'file=\\\"/a\\\",size=1G,discard_writes=on'\"", "" },
		{ "kata", true, false, "\"file_mem_backend = \\\"/a\\\"\"", "\"place\",\"text\":\"configuration.toml, below [hypervisor.qemu]\"" },
	}, *line;
	struct memory memory = { .path = "/a", .real = "/a", .name = "/a", .size = SZ_1G, .align = SZ_2M };
	const char *said;
	int bad = 0;

	json = true;
	for (line = lines; line < lines + sizeof(lines) / sizeof(lines[0]); line++) {
		fields.length = notes.length = 0;
		memory.folder = line->folder;
		memory.read_only = line->read_only;
		for (vmm = vmms; strcmp(vmm->name, line->name); vmm++)
			;
		vmm->print(&memory);
		said = text_of(&fields) + strlen("\"command\":");
		if ((*line->command && strcmp(said, line->command)) || (*line->note && !strstr(text_of(&notes), line->note)))
			bad += !!fprintf(stderr, "for %s: the command is %s and the notes are %s\n", vmm->name, said, text_of(&notes));
	}
	return bad;
}

/* Checks what is expected of the guest's first 1G, which has a hole for VGA or none. */
static int check_expected(void)
{
	static const struct { uint64_t size, in_1g, first_1g; bool vga; const char *pages, *text; } rows[] = {
		{ SZ_1G, SZ_1G, SZ_1G, true, "2M", "\"2M entries (the guest's first 1G has a hole for VGA, " },
		{ SZ_1G, SZ_1G, SZ_1G, false, "1G", "\"1G entries, where " },
		{ SZ_1G + SZ_2M, SZ_1G, SZ_1G, true, "2M", "\"2M entries (the guest's first 1G has a hole for VGA, " },
		{ 3 * SZ_1G, 3 * SZ_1G, SZ_1G, true, "1G", "\"1G entries for 2048M, where " },
		{ 3 * SZ_1G, 2 * SZ_1G, 0, true, "1G", "\"1G entries for 2048M, where " },
		{ 3 * SZ_1G, 3 * SZ_1G, SZ_1G, false, "1G", "\"1G entries, where " },
		{ SZ_1G, 0, 0, true, "2M", "\"2M entries\"" },
	}, *row;
	struct memory memory = { .align = SZ_2M, .known = true };
	int bad = 0;

	json = true;
	for (row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		fields.length = notes.length = 0;
		memory.size = memory.in_2m = row->size;
		memory.in_1g = row->in_1g;
		memory.first_1g = row->first_1g;
		memory.vga = row->vga;
		if (expect(&memory) != HUGE || strcmp(text_of(&fields), format("\"pages\":\"%s\"", row->pages)) || !strstr(text_of(&notes), row->text))
			bad += !!fprintf(stderr, "for %s of memory: %s and %s\n", size_string(row->size), text_of(&fields), text_of(&notes));
	}
	return bad;
}

/* Checks which VMMs are refused which files: those that they would not open, or whose path they would read as another one. */
static int check_refused(void)
{
	static const struct { const char *path; bool read_only; const char *by; } files[] = {
		{ "/a", false, "" }, { "/a", true, "libvirt" }, { "/a,b", false, "kata" }, { "/a\xff", false, "libvirt cloud-hypervisor kata" },
		{ " a", false, "cloud-hypervisor" }, { "/a ", false, "cloud-hypervisor" }, { "/a b", false, "" }, { "/a\t", false, "libvirt cloud-hypervisor" },
		{ "/a\xe2\x80\x89", false, "cloud-hypervisor" }, { "/a\xc2\xa0", false, "cloud-hypervisor" }, { "/a\xc3\xa0", false, "" },
		{ "/a\"", false, "cloud-hypervisor" },
	}, *file;
	struct memory memory = { .size = SZ_1G, .align = SZ_2M };
	int status, bad = 0;
	pid_t pid;

	for (file = files; file < files + sizeof(files) / sizeof(files[0]); file++) {
		memory.path = memory.real = file->path;
		memory.name = quote(file->path);
		memory.read_only = file->read_only;
		for (vmm = vmms; vmm->name; vmm++) {
			pid = fork();
			if (!pid) {
				stderr = fopen("/dev/null", "w");
				fail_if_not_taken(&memory);
				_exit(HUGE);
			}
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				die("fork");
			if (status != (strstr(file->by, vmm->name) ? NOT_USABLE << 8 : HUGE))
				bad += !!fprintf(stderr, "%s%s, for %s: status %#x\n", memory.name, file->read_only ? ", which cannot be written" : "", vmm->name, status);
		}
	}
	return bad;
}

/* Runs the case of a seed; returns false, and prints why, if it has failed. */
static bool try_case(const char *folder, uint64_t seed)
{
	char said[65536];
	const char *end, *at;
	uint32_t code;
	size_t length;
	FILE *file;
	int status;
	pid_t pid;

	state = seed;
	pid = fork();
	if (!pid)
		run_case(folder);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork");
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != HUGE && WEXITSTATUS(status) != NOT_USABLE && WEXITSTATUS(status) != SMALL)) {
		fprintf(stderr, "seed %" PRIu64 ": status %#x\n", seed, status);
		return false;
	}
	file = fopen(format("%s/said", folder), "r");
	length = file ? fread(said, 1, sizeof(said) - 1, file) : 0;
	said[length] = '\0';
	if (file)
		fclose(file);
	if (said[0] != '{')
		return true;
	end = json_value(said);
	for (at = said; *at && utf8(at, &code);)
		at += utf8(at, &code);
	if (*at)
		end = NULL;
	if (!end || strcmp(end, "\n") || strlen(said) != length)
		fprintf(stderr, "seed %" PRIu64 ": this is no JSON: %s\n", seed, said);
	return end && !strcmp(end, "\n");
}

int main(int argc, char *argv[])
{
	uint64_t seed, first = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	int cases = argc > 2 ? atoi(argv[2]) : 0, failed = 0, i;

	if (argc < 3) {
		fputs("usage: kvm-dax-check-fuzz FOLDER CASES [FIRST-SEED]\nFeeds kvm-dax-check with broken texts in FOLDER, which is empty.\n", stderr);
		return 2;
	}
	setlocale(LC_CTYPE, "C.UTF-8");
	for (i = 0, seed = first; i < cases; i++, seed++)
		failed += !try_case(argv[1], seed);
	state = first;
	failed += check_quotes(argv[1]);
	failed += check_refused();
	failed += check_commands();
	failed += check_expected();
	printf("%d cases, %d failed\n", cases, failed);
	return failed != 0;
}
