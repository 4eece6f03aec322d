<?php
/**
 * Runs one task for the agent: `child.php TASK ANSWER_FILE`. WordPress, where the task needs it, has to load
 * in the global scope. The last line writes the answer; whatever ends PHP before it is a failure.
 */

declare(strict_types=1);

require __DIR__ . '/autoload.php';

[, $urumi_task, $urumi_answer_file] = $argv;
$urumi_task = Urumi\Child\Tasks::named($urumi_task);
foreach ($urumi_task->constants() ?? [] as $urumi_name => $urumi_value) {
    define($urumi_name, $urumi_value);
}
if ($urumi_task->constants() !== null) {
    $urumi_front = Urumi\Store::front();
    $_SERVER['HTTP_HOST'] = $urumi_front['host'];
    $_SERVER['HTTP_X_FORWARDED_PROTO'] = $urumi_front['scheme'];
    $_SERVER['REQUEST_METHOD'] = 'GET';
    $_SERVER['REQUEST_URI'] = '/';
    $_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
    require Urumi\Store::CORE . '/wp-load.php';
}
Urumi\Files::write($urumi_answer_file, json_encode($urumi_task->run(), JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE));
