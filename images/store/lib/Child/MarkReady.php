<?php

declare(strict_types=1);

namespace Urumi\Child;

/** Records the first READY in the database. */
final class MarkReady implements Task
{
    public function constants(): ?array
    {
        return null;
    }

    public function run(): array
    {
        InstallationRow::markReady(Database::connect());
        return [];
    }
}
