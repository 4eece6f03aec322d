<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Files;

/**
 * Runs one task in a process of its own, with limits of time and memory.
 *
 * What WordPress or a plugin does there - wp_die(), a fatal error, an endless loop - cannot harm the agent.
 * The exit status proves nothing (wp_die() exits 0): only an answer file, written by the task's last line, counts.
 */
final class Child
{
    private const MEMORY = '192M';

    /**
     * The task's answer, or null if it gave none in time; then the log says what it printed.
     *
     * @return array<string, mixed>|null
     */
    public static function run(string $task, float $seconds): ?array
    {
        $answerFile = "/tmp/urumi-$task.json";
        $outputFile = "/tmp/urumi-$task.log";
        Files::remove($answerFile);
        $output = fopen($outputFile, 'w');
        if ($output === false) {
            throw new \RuntimeException("$outputFile cannot be written");
        }
        $patience = (int) ceil($seconds); // a statement may take all the time that the task has
        $process = proc_open(
            [
                'setpriv', '--pdeathsig', 'KILL',
                'php', '-d', 'memory_limit=' . self::MEMORY, '-d', "mysqlnd.net_read_timeout=$patience",
                dirname(__DIR__) . '/child.php', $task, $answerFile,
            ],
            [0 => ['file', '/dev/null', 'r'], 1 => $output, 2 => $output],
            $pipes,
        );
        fclose($output);
        $inTime = $process !== false && self::await($process, $seconds);
        $answer = json_decode((string) @file_get_contents($answerFile), true);
        if (!is_array($answer)) {
            $printed = strip_tags((string) @file_get_contents($outputFile, false, null, 0, 4000));
            Log::say("$task " . ($inTime ? 'gave no answer' : "took longer than $seconds s") . ": $printed");
            return null;
        }
        foreach ($answer['notes'] ?? [] as $note) {
            Log::say("$task: $note");
        }
        return $answer;
    }

    /** @param resource $process */
    private static function await($process, float $seconds): bool
    {
        $deadline = hrtime(true) + (int) ($seconds * 1e9);
        while (proc_get_status($process)['running']) {
            if (hrtime(true) > $deadline) {
                proc_terminate($process, 9);
                proc_close($process);
                return false;
            }
            usleep(10_000);
        }
        proc_close($process);
        return true;
    }
}
