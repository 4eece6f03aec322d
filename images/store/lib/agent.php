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
$status->show(Agent\Reason::Starting);

while (true) {
    try {
        $reason = $round->run();
        $status->show($reason);
        if ($reason === Agent\Reason::Ready) {
            $cron->callIfDue();
        }
        $pause->after($reason);
    } catch (\Throwable $error) {
        Agent\Log::say($error->getMessage());
        sleep(1);
    }
}
