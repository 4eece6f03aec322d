<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Files;

/**
 * Runs one task in a process of its own, with limits of time and memory.
 *
 * What WordPress or a plugin does there - wp_die(), a fatal error, an endless loop - cannot harm the agent. A plugin
 * can lift PHP's limit of memory but not the kernel's. Without that one it could fill the container, and where the
 * kernel then ends a container as a whole, the agent would end with it.
 * The exit status proves nothing (wp_die() exits 0): only an answer file, written by the task's last line, counts.
 */
final class Child
{
    private const MIB = 1024 ** 2;
    private const MEMORY = 160; // MiB that PHP gives a script
    private const MEMORY_IN_ALL = 200; // MiB of data in the process; the container has 256
    private const LARGEST_FILE = 64; // MiB, also of what it prints; the folder for it has 128
    private const SLICE = 100_000; // microseconds
    private const HELD = 3; // the descriptor that a child holds as long as it lives

    /**
     * @param resource|false $process
     * @param resource|null $held
     */
    private function __construct(
        private readonly string $task,
        private readonly float $seconds,
        private readonly int $deadline,
        private $process,
        private $held,
    ) {
    }

    /**
     * The task's answer, or null if it gave none in time; then the log says what it printed.
     *
     * @return array<string, mixed>|null
     */
    public static function run(string $task, float $seconds): ?array
    {
        return self::begun($task, $seconds)->answer();
    }

    /** The task at work; whoever began it asks for its answer. */
    public static function begun(string $task, float $seconds): self
    {
        $answerFile = self::answerFile($task);
        $outputFile = self::outputFile($task);
        Files::remove($answerFile);
        $output = fopen($outputFile, 'w');
        if ($output === false) {
            throw new \RuntimeException("$outputFile cannot be written");
        }
        $patience = (int) ceil($seconds); // a statement may take all the time that the task has
        $process = proc_open(
            [
                'setpriv', '--pdeathsig', 'KILL',
                'prlimit', '--data=' . self::MEMORY_IN_ALL * self::MIB, '--fsize=' . self::LARGEST_FILE * self::MIB,
                'php', '-d', 'memory_limit=' . self::MEMORY * self::MIB, '-d', "mysqlnd.net_read_timeout=$patience",
                dirname(__DIR__) . '/child.php', $task, $answerFile,
            ],
            [0 => ['file', '/dev/null', 'r'], 1 => $output, 2 => $output, self::HELD => ['pipe', 'w']],
            $pipes,
        );
        fclose($output);
        return new self($task, $seconds, hrtime(true) + (int) ($seconds * 1e9), $process, $pipes[self::HELD] ?? null);
    }

    /**
     * What run() gives.
     *
     * @return array<string, mixed>|null
     */
    public function answer(): ?array
    {
        $inTime = $this->process !== false && $this->ends();
        $answer = json_decode((string) @file_get_contents(self::answerFile($this->task)), true);
        if (!is_array($answer)) {
            $why = $inTime ? 'gave no answer' : "took longer than $this->seconds s";
            Log::say("$this->task $why: " . self::lastWords(self::outputFile($this->task)));
            return null;
        }
        foreach ($answer['notes'] ?? [] as $note) {
            Log::say("$this->task: $note");
        }
        return $answer;
    }

    private static function answerFile(string $task): string
    {
        return "/tmp/urumi-$task.json";
    }

    private static function outputFile(string $task): string
    {
        return "/tmp/urumi-$task.log";
    }

    /** The last of what a task printed, which says what ended it, without the styles of WordPress's error pages. */
    private static function lastWords(string $file): string
    {
        $text = (string) @file_get_contents($file, false, null, max(0, (int) @filesize($file) - 16384));
        $text = strip_tags((string) preg_replace('#<(style|title)\b.*?</\1>#s', '', $text));
        return substr(trim($text), -800);
    }

    /** Whether it ends by itself before its deadline. */
    private function ends(): bool
    {
        while (proc_get_status($this->process)['running']) {
            if (hrtime(true) > $this->deadline) {
                proc_terminate($this->process, 9);
                proc_close($this->process);
                return false;
            }
            // Its end wakes us, unless something that it started holds the descriptor, too. It may take a moment
            // from there until it can be collected.
            $held = [$this->held];
            $none = null;
            if (stream_select($held, $none, $none, 0, self::SLICE) !== 0) {
                usleep(1000);
            }
        }
        proc_close($this->process);
        return true;
    }
}
