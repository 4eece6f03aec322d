<?php

declare(strict_types=1);

namespace Urumi\Child;

/** What one child process of the agent does. */
interface Task
{
    /**
     * The constants that WordPress is loaded with, or null if the task needs no WordPress.
     *
     * @return array<string, bool>|null
     */
    public function constants(): ?array;

    /**
     * What was seen or done, for the agent; `notes`, if any, go to its log.
     *
     * @return array<string, mixed>
     */
    public function run(): array;
}
