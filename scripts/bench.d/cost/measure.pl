#!/usr/bin/perl
# measure.pl ROUNDS ::: COMMAND [ARG...] [::: COMMAND [ARG...]]...
#
# Runs the commands in turn, ROUNDS times after once for warming up, and prints what each run took:
# round, number of the command, start (us on the monotonic clock), wall us, CPU us (user and system,
# with children), peak memory in kB, exit status. A command may begin with `netns:NAME`, the network
# namespace it runs in, with `env:NAME=VALUE`, and with `exit:STATUS`, which is for the reader. Perl, because Node cannot ask for the resources of a child, and every Debian has it.
use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my %WAIT4 = (x86_64 => 61, aarch64 => 260); # asm/unistd.h
my %SETNS = (x86_64 => 308, aarch64 => 268);
my $machine = (POSIX::uname())[4];
my $wait4 = $WAIT4{$machine} or die "measure.pl does not know this machine\n";

# Above whatever else runs: what is measured is the program, not its wait for a processor. Where
# the kernel shares processors among sessions first, it is the session that has to be above.
POSIX::setsid();
setpriority(0, 0, -20);
if (open(my $autogroup, '>', '/proc/self/autogroup')) { print $autogroup '-20' } # sched(7)

my $rounds = shift @ARGV;
my @commands;
for my $word (@ARGV) {
  if ($word eq ':::') { push @commands, [] }
  else { push @{$commands[-1]}, $word }
}

# Enters a network namespace as `ip netns exec` does, but at no cost of a program.
sub enter {
  my ($name) = $_[0] =~ /^netns:(.*)/;
  open(my $namespace, '<', "/run/netns/$name") or die "$name: $!\n";
  syscall($SETNS{$machine}, fileno($namespace), 0) == 0 or die "setns: $!\n";
}

sub run {
  my ($command) = @_;
  my $started = clock_gettime(CLOCK_MONOTONIC);
  my $pid = fork() // die "fork: $!\n";
  if ($pid == 0) {
    open(STDOUT, '>', '/dev/null');
    while ($command->[0] =~ /^(netns|env|exit):/) {
      my $word = shift @$command;
      enter($word) if $1 eq 'netns';
      $ENV{$1} = $2 if $word =~ /^env:(\w+)=(.*)/;
    }
    exec {$command->[0]} @$command or POSIX::_exit(127);
  }
  my ($status, $usage) = (pack('l', 0), "\0" x 256);
  syscall($wait4, $pid, $status, 0, $usage) == $pid or die "wait4: $!\n";
  my $wall = (clock_gettime(CLOCK_MONOTONIC) - $started) * 1e6;
  my ($user, $user_us, $system, $system_us, $peak) = unpack('q5', $usage); # getrusage(2)
  return (int $started * 1e6, int $wall, ($user + $system) * 1_000_000 + $user_us + $system_us, $peak,
    unpack('l', $status) >> 8);
}

run($_) for @commands;
for my $round (1 .. $rounds) {
  print join(' ', $round, $_, run($commands[$_])), "\n" for 0 .. $#commands;
}
