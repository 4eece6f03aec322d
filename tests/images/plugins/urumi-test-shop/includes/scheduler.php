<?php
/** The part of Action Scheduler that the agent calls: callbacks one second apart, run only by whoever runs the queue. */

declare(strict_types=1);

final class Urumi_Test_Queue
{
    private const OPTION = 'urumi_test_queue';

    public static function schedule_update(): void
    {
        $now = time();
        $queue = self::all();
        foreach ([1, 2] as $second) {
            $queue[] = ['hook' => 'woocommerce_run_update_callback', 'at' => $now + $second];
        }
        $queue[] = ['hook' => 'woocommerce_update_db_to_current_version', 'at' => $now + 3];
        update_option(self::OPTION, $queue);
    }

    /** @return list<array{hook: string, at: int}> */
    public static function all(): array
    {
        return get_option(self::OPTION, []);
    }

    public static function run_due(): void
    {
        $left = [];
        foreach (self::all() as $action) {
            if ($action['at'] > time()) {
                $left[] = $action;
            } elseif ($action['hook'] === 'woocommerce_update_db_to_current_version') {
                update_option('woocommerce_db_version', WC()->version);
            } else {
                update_option('urumi_test_callbacks', 1 + (int) get_option('urumi_test_callbacks'));
            }
        }
        update_option(self::OPTION, $left);
    }
}

final class ActionScheduler_QueueRunner
{
    public static function instance(): self
    {
        return new self();
    }

    public function run(): void
    {
        Urumi_Test_Queue::run_due();
    }
}

add_action('action_scheduler_run_queue', ['Urumi_Test_Queue', 'run_due']);

function as_next_scheduled_action(string $hook): int|false
{
    foreach (Urumi_Test_Queue::all() as $action) {
        if ($action['hook'] === $hook) {
            return $action['at'];
        }
    }
    return false;
}
