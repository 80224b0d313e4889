// SPDX-License-Identifier: MIT
// The list is what the broker and its libraries were seen to call, under strace in every test of
// this repository, and what the C library may call instead on another machine. Names that an
// architecture does not have are skipped.
#include "os/sandbox.h"

#include "os/output.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static const char *const allowed[] = {
    // memory
    "brk", "munmap", "mremap", "madvise", "membarrier", "mincore",
    // threads
    "exit", "exit_group", "futex", "futex_time64", "get_robust_list", "gettid", "rseq",
    "sched_getaffinity", "sched_get_priority_max", "sched_get_priority_min", "sched_getparam",
    "sched_getscheduler", "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address",
    "set_tls", "arch_prctl",
    // signals
    "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "sigaltstack", "sigreturn",
    // time
    "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
    "clock_nanosleep_time64", "gettimeofday", "nanosleep", "time", "timerfd_create",
    "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times",
    // descriptors
    "_llseek", "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "eventfd2",
    "fcntl", "fcntl64", "lseek", "pipe", "pipe2", "pread64", "preadv", "pwrite64", "pwritev",
    "read", "readv", "sendfile", "sendfile64", "write", "writev",
    // files
    "access", "chmod", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "arm_fadvise64_64",
    "fallocate", "fchmod", "fchmodat", "fchown", "fchown32", "fdatasync", "flock", "fstat",
    "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "getcwd",
    "getdents", "getdents64", "link", "linkat", "lstat", "lstat64", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "openat2", "readahead", "readlink", "readlinkat", "rename",
    "renameat", "renameat2", "rmdir", "stat", "stat64", "statfs", "statfs64", "statx",
    "sync_file_range", "arm_sync_file_range", "sync_file_range2", "truncate", "umask", "unlink",
    "unlinkat", "utimensat", "utimensat_time64",
    // sockets
    "_newselect", "accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "getpeername", "getsockname",
    "getsockopt", "listen", "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "recv",
    "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "select", "send", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shutdown", "socketcall", "socketpair",
    // about itself
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getpid", "getppid", "getrandom", "getresgid", "getresgid32", "getresuid",
    "getresuid32", "getrlimit", "getrusage", "getuid", "getuid32", "prlimit64", "setrlimit",
    "sysinfo", "ugetrlimit", "uname", "getcpu"};

// Nothing here has a use for these, and whoever comes this far must not go on.
static const char *const deadly[] = {"execve",
                                     "execveat",
                                     "fork",
                                     "vfork",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "pidfd_getfd",
                                     "setuid",
                                     "setuid32",
                                     "setgid",
                                     "setgid32",
                                     "setreuid",
                                     "setreuid32",
                                     "setregid",
                                     "setregid32",
                                     "setresuid",
                                     "setresuid32",
                                     "setresgid",
                                     "setresgid32",
                                     "setgroups",
                                     "setgroups32",
                                     "setfsuid",
                                     "setfsgid",
                                     "capset",
                                     "chroot",
                                     "pivot_root",
                                     "mount",
                                     "umount2",
                                     "fsopen",
                                     "fsmount",
                                     "move_mount",
                                     "open_tree",
                                     "unshare",
                                     "setns",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "add_key",
                                     "request_key",
                                     "keyctl",
                                     "mknod",
                                     "mknodat",
                                     "open_by_handle_at",
                                     "memfd_create",
                                     "memfd_secret",
                                     "personality",
                                     "reboot",
                                     "swapon",
                                     "swapoff",
                                     "iopl",
                                     "ioperm",
                                     "modify_ldt",
                                     "acct",
                                     "quotactl",
                                     "syslog",
                                     "settimeofday",
                                     "clock_settime",
                                     "clock_adjtime",
                                     "adjtimex",
                                     "sethostname",
                                     "setdomainname"};

#define CALLS_KNOWN 1024
static atomic_flag said[CALLS_KNOWN];

// The result of the call that was trapped; false: this architecture's register is not known here.
static bool set_result(ucontext_t *context, int result)
{
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
    context->uc_mcontext.regs[0] = (unsigned long long)result;
#elif defined(__arm__)
    context->uc_mcontext.arm_r0 = (unsigned long)result;
#elif defined(__riscv)
    context->uc_mcontext.__gregs[REG_A0] = (unsigned long)result;
#else
    (void)context;
    (void)result;
    return false;
#endif
    return true;
}

// In a signal handler: nothing that takes a lock or memory.
static void on_refused(int number, siginfo_t *info, void *context)
{
    (void)number;
    int saved_error = errno;
    char text[256];
    unsigned call = (unsigned)info->si_syscall;
    if (!set_result(context, -ENOSYS))
        _exit(70);
    if (call >= CALLS_KNOWN || atomic_flag_test_and_set(&said[call]))
        return;
    int size = snprintf(text, sizeof(text),
                        "bud serve: the sandbox refused system call %u, and it goes on without it. "
                        "That is a bug worth a report; `--sandbox false` runs without a sandbox.\n",
                        call);
    output_error(text, (size_t)size);
    errno = saved_error;
}

static int add(scmp_filter_ctx filter, uint32_t action, const char *name)
{
    int call = seccomp_syscall_resolve_name(name);
    return call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, call, 0);
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                     size_t count)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add(filter, action, names[i]);
    return result;
}

// Threads, and nothing that is more than a thread. clone3 hides its flags in memory: told that
// there is none, the C library takes clone.
static int add_clone(scmp_filter_ctx filter)
{
    uint64_t wanted = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    uint64_t unwanted = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                        CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, wanted | unwanted, wanted));
    int third = seccomp_syscall_resolve_name("clone3");
    if (result == 0 && third != __NR_SCMP_ERROR)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), third, 0);
    return result;
}

// What can be written is not executed.
static int add_memory(scmp_filter_ctx filter)
{
    static const char *const maps[] = {"mmap", "mmap2"};
    uint64_t both = PROT_WRITE | PROT_EXEC;
    int result = 0;
    for (size_t i = 0; result == 0 && i < 2; i++) {
        int call = seccomp_syscall_resolve_name(maps[i]);
        for (uint64_t rights = 0; result == 0 && rights <= both; rights++)
            if ((rights & both) == rights && rights != both)
                result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                          SCMP_A2(SCMP_CMP_MASKED_EQ, both, rights));
    }
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return result;
}

static int add_first_argument(scmp_filter_ctx filter, int call, const uint64_t *values,
                              size_t count)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A0(SCMP_CMP_EQ, values[i], 0));
    return result;
}

static int add_ioctl(scmp_filter_ctx filter)
{
    static const uint32_t requests[] = {FIONREAD, FIONBIO, TCGETS};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(requests) / sizeof(*requests); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
    return result;
}

static int add_conditional(scmp_filter_ctx filter)
{
    static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    static const uint64_t controls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE,
                                        PR_GET_NO_NEW_PRIVS, 0x53564d41 /* PR_SET_VMA */};
    const uint64_t self[] = {(uint64_t)getpid()};
    int result = add_clone(filter);
    if (result == 0)
        result = add_memory(filter);
    if (result == 0)
        result = add_ioctl(filter);
    if (result == 0)
        result = add_first_argument(filter, SCMP_SYS(socket), families, 4);
    if (result == 0)
        result = add_first_argument(filter, SCMP_SYS(prctl), controls, 5);
    if (result == 0) // abort()
        result = add_first_argument(filter, SCMP_SYS(tgkill), self, 1);
    return result;
}

static int set_attributes(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a tree, not a list
    // Else the processor would be slowed down for code of others, which we do not run.
    if (result == 0)
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return result;
}

static int load(scmp_filter_ctx filter)
{
    int result = set_attributes(filter);
    if (result == 0)
        result = add_names(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));
    if (result == 0)
        result = add_names(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof(deadly) / sizeof(*deadly));
    if (result == 0)
        result = add_conditional(filter);
    return result == 0 ? seccomp_load(filter) : result;
}

int sandbox_restrict_calls(void)
{
    struct sigaction refused = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
    ucontext_t context;
    bool can_trap = set_result(&context, 0);
    if (can_trap && sigaction(SIGSYS, &refused, NULL) < 0)
        return -errno;
    scmp_filter_ctx filter = seccomp_init(can_trap ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS));
    if (filter == NULL)
        return -ENOMEM;
    int result = load(filter);
    seccomp_release(filter);
    return result == -EINVAL || result == -ECANCELED ? -ENOSYS : result;
}
