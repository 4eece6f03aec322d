<?php
/**
 * The agent's loop. It loads no WordPress, so no plugin can end it; what needs WordPress runs in short
 * children. It never exits.
 */

declare(strict_types=1);

namespace Urumi;

require __DIR__ . '/autoload.php';

$status = new Agent\Status();
$round = new Agent\Round($status);
$pause = new Agent\Pause();
$cron = new Agent\Cron();
$reason = Agent\Reason::Starting;

while (true) {
    try {
        $status->show($reason); // again: an error has shown nothing yet
        $reason = $round->run();
        $status->show($reason);
        if ($reason === Agent\Reason::Ready) {
            $cron->callIfDue();
        }
    } catch (\Throwable $error) {
        Agent\Log::say($error->getMessage());
        $reason = Agent\Reason::LookFailed;
    }
    $pause->after($reason);
}
